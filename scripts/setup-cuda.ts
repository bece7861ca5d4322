/** `npm run setup:cuda -- [--to DIR] [--source runtime|wheel] [--force]`: brings the CUDA provider library; see docs/cuda.md. */
import { parseArgs } from 'node:util';
import { LossgraftError } from '../src/errors.ts';
import { setupCuda } from '../src/runtime/cuda/setup.ts';

const { values } = parseArgs({
  options: { to: { type: 'string' }, source: { type: 'string' }, force: { type: 'boolean', default: false } },
});

try {
  const { to, source, force } = values;
  if (source !== undefined && source !== 'runtime' && source !== 'wheel') {
    throw new LossgraftError({
      code: 'bad-option',
      where: '--source',
      expected: 'runtime or wheel',
      found: source,
      hint: 'Leave it out to try both',
    });
  }
  const result = await setupCuda({
    force,
    ...(to === undefined ? {} : { to }),
    ...(source === undefined ? {} : { source }),
    log: (line) => console.error(line),
  });
  console.log(`${result.folder}: ${result.files.join(', ')} (${result.source})`);
  console.log(
    "CUDA's own libraries, cuDNN 9 and the driver come from NVIDIA: lossgraft doctor shows what is still missing.",
  );
} catch (error) {
  if (!(error instanceof LossgraftError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
