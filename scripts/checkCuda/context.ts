import { join } from 'node:path';
import type { Provider } from '../../src/runtime/session.ts';

/** What the child process of a part is told. */
export interface PartContext {
  /** The CPU in a rehearsal. */
  readonly provider: Provider;
  /** The repository: its fixtures are read. */
  readonly root: string;
  /** Where the networks are that PyTorch wrote, and where files may be written. */
  readonly work: string;
  readonly share: { readonly index: number; readonly count: number };
  /** When to begin nothing more, as `Date.now()` tells it. */
  readonly until: number;
  /** The file of what was found. */
  readonly out: string;
  /** The python3 that has PyTorch. */
  readonly hasTorch: boolean;
}

export function networkFile({ work }: PartContext, name: string): string {
  return join(work, 'networks', `${name}.onnx`);
}
