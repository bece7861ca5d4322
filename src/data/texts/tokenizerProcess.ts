import { type ChildProcess, fork } from 'node:child_process';
import { Socket } from 'node:net';
import { builtFile } from '../../builtFile.ts';
import { limiter } from '../limiter.ts';

type Side = 'left' | 'right';

/** A tokenizer, and the form in which it returns texts. */
export interface TokenizerPlan {
  /** A tokenizer.json without truncation and padding. */
  readonly json: string;
  /** Texts are truncated to this many tokens… */
  readonly length: number;
  readonly cut: Side;
  /** …and padded to this many, with the padding token's id, or the first of these names that is a token. */
  readonly width: number;
  readonly pad: {
    readonly id: number | undefined;
    readonly names: readonly string[];
    readonly type: number;
    readonly side: Side;
  };
}

export interface Opened {
  /** How many tokens the tokenizer adds around a text. */
  readonly special: number;
  /** Undefined if none of the names is a token. */
  readonly padId: number | undefined;
}

/** Tokens of some texts, row by row, each {@link TokenizerPlan.width} wide. */
export interface Block {
  readonly ids: Uint32Array;
  /** 1 for tokens of the text, 0 for padding. */
  readonly mask: Uint8Array;
  readonly types: Uint8Array;
}

export type Request =
  | { readonly kind: 'open'; readonly plan: TokenizerPlan }
  | { readonly kind: 'encode'; readonly texts: readonly string[] }
  | { readonly kind: 'decode'; readonly ids: readonly number[] };

export interface Answers {
  readonly open: Opened;
  readonly encode: Block;
  readonly decode: string;
}

type Kind = keyof Answers;
type RequestOf<K extends Kind> = Request & { readonly kind: K };

export type Answer<K extends Kind> = { readonly value: Answers[K] } | { readonly error: string };

/** The Rust library in a process of its own, started on demand. Errors, and panics that end it, become rejections. */
export interface TokenizerProcess {
  open(): Promise<Opened>;
  encode(texts: readonly string[]): Promise<Block>;
  decode(ids: readonly number[]): Promise<string>;
  /** Ends the process and frees its memory; a later request starts another. */
  stop(): void;
}

export function tokenizerProcess(plan: TokenizerPlan): TokenizerProcess {
  const oneByOne = limiter(1);
  let running: ChildProcess | undefined;
  const stop = (): void => {
    running?.kill();
    running = undefined;
  };
  const start = (): { readonly child: ChildProcess; readonly opened: Promise<Opened> } => {
    const child = launch();
    running = child;
    return { child, opened: exchange(child, { kind: 'open', plan }) };
  };
  const child = async (): Promise<ChildProcess> => {
    if (running?.connected) return running;
    const { child, opened } = start();
    await opened;
    return child;
  };
  const ask = <K extends Kind>(request: RequestOf<K>): Promise<Answers[K]> =>
    oneByOne(async () => exchange(await child(), request));
  return {
    open: () => oneByOne(() => start().opened),
    encode: (texts) => ask({ kind: 'encode', texts }),
    decode: (ids) => ask({ kind: 'decode', ids }),
    stop,
  };
}

function launch(): ChildProcess {
  const child = fork(builtFile(new URL('./tokenizerChild.js', import.meta.url)), [], {
    execArgv: [],
    env: { ...process.env, NODE_OPTIONS: '', RUST_BACKTRACE: '0' },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  // Without a listener, a child that cannot be killed would end this process.
  return child.on('error', () => {});
}

/** One request and its response. Between requests the child does not keep this process alive. */
function exchange<K extends Kind>(child: ChildProcess, request: RequestOf<K>): Promise<Answers[K]> {
  return new Promise((resolve, reject) => {
    let log = '';
    const collect = (chunk: Buffer): void => {
      log += chunk.toString('utf8');
    };
    const settle = (work: () => void): void => {
      child.stderr?.off('data', collect);
      child.off('message', onMessage).off('close', onClose).off('error', onError);
      keepAlive(child, false);
      work();
    };
    const onMessage = (answer: Answer<K>): void =>
      settle(() => ('error' in answer ? reject(new Error(answer.error)) : resolve(answer.value)));
    const onClose = (code: number | null, signal: string | null): void =>
      settle(() => reject(new Error(lastWords(log) ?? `its process ended with ${signal ?? `exit code ${code}`}`)));
    const onError = (error: Error): void => settle(() => reject(error));
    keepAlive(child, true);
    child.stderr?.on('data', collect);
    child.on('message', onMessage).on('close', onClose).on('error', onError);
    child.send(request, (error) => error && onError(error));
  });
}

function keepAlive(child: ChildProcess, alive: boolean): void {
  const handles = [child, child.channel, child.stderr instanceof Socket ? child.stderr : undefined];
  for (const handle of handles) alive ? handle?.ref() : handle?.unref();
}

/** The message of a panic: the line after `thread … panicked at FILE:`. */
function lastWords(log: string): string | undefined {
  return /panicked at [^\n]*\n([^\n]+)/.exec(log)?.[1];
}
