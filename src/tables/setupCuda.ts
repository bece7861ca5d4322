import { choice, flag, given, isFunction, type Row, text } from '../options/row.ts';
import type { SetupOptions } from '../runtime/cuda/setup.ts';

/** The options of `setupCuda`. */
export const setupCudaRows = {
  /** The folder for the provider's libraries. Default: beside onnxruntime-node's own. */
  to: text('The folder for the libraries (default: beside onnxruntime-node’s own library)', { needs: 'setupCuda' }),
  /** `runtime`: onnxruntime-node's installer; `wheel`: the Python wheel. By default the first, then the second if it fails. */
  source: choice(
    ['runtime', 'wheel'],
    'runtime: onnxruntime-node’s installer; wheel: the Python wheel, downloaded by pip (default: the first, then the second)',
    { needs: 'setupCuda' },
  ),
  /** Replaces existing libraries. */
  force: flag('Replace existing libraries', { needs: 'setupCuda' }),
  /** Called with each step, one line at a time. */
  log: given<(line: string) => void>('a function', isFunction),
} satisfies Record<keyof SetupOptions, Row>;
