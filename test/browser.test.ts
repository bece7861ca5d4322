import { join } from 'node:path';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { ROOT } from './support/cli.ts';

describe('the part for browsers', () => {
  it('needs nothing that only Node has', async () => {
    const { outputFiles, metafile } = await build({
      entryPoints: [join(ROOT, 'src/browser.ts')],
      bundle: true,
      format: 'esm',
      target: 'es2023',
      write: false,
      metafile: true,
      plugins: [
        {
          name: 'node-left-out',
          setup({ onResolve }) {
            onResolve({ filter: /^node:/ }, ({ path }) => ({ path, external: true, sideEffects: false }));
          },
        },
      ],
    });
    expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).toEqual([]);
    expect(outputFiles).toHaveLength(1);
    expect(outputFiles[0]?.text.match(/\b(Buffer|process|require|__dirname|setImmediate)\b.*/g)).toBeNull();
  });
});
