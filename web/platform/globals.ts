import { Buffer } from 'node:buffer';

/** What Node has without an import, for the modules of the engine. */
const process = {
  argv: [],
  arch: 'wasm32',
  browser: true,
  cwd: (): string => '/',
  env: {},
  execPath: '',
  exitCode: 0,
  kill: (): boolean => true,
  listenerCount: (): number => 0,
  nextTick: (act: (...given: readonly unknown[]) => void, ...given: readonly unknown[]): void =>
    queueMicrotask(() => act(...given)),
  off(): void {},
  on(): void {},
  once(): void {},
  emitWarning(): void {},
  pid: 1,
  platform: 'browser',
  prependListener(): void {},
  resourceUsage: () => ({ maxRSS: 0 }),
  uptime: (): number => performance.now() / 1000,
  version: '',
  versions: { node: '' },
};

const setImmediate = (act: (...given: readonly unknown[]) => void, ...given: readonly unknown[]): unknown =>
  setTimeout(act, 0, ...given);

const global: typeof globalThis = globalThis;

export { Buffer, global, process, setImmediate };
