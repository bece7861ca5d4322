import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LossgraftError } from './errors.ts';

/**
 * The file of a thread or child process. Node 20 cannot run TypeScript there, so sources use the built file.
 *
 * @param url of the .js file, beside the module that starts it: `new URL('./worker.js', import.meta.url)`
 * @throws LossgraftError `no-worker`
 */
export function builtFile(url: URL): string {
  const path = fileURLToPath(url);
  if (existsSync(path)) return path;
  const built = path.replace(/([\\/])src([\\/])(?!.*[\\/]src[\\/])/, '$1dist$1src$2');
  if (existsSync(built)) return built;
  throw new LossgraftError({
    code: 'no-worker',
    where: path,
    expected: 'the built file',
    found: 'no file there',
    hint: 'Run npm run build',
  });
}
