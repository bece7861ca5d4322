import type { TrainOptions } from './options.ts';

/** Listeners for single events, which also reach the general one. */
export function withEvents(options: TrainOptions): TrainOptions {
  const { onEvent, onNote, onFeatures, onProgress, onEpoch } = options;
  if (onEvent === undefined) return options;
  return {
    ...options,
    onNote: (text) => [onNote?.(text), onEvent({ kind: 'note', text })],
    onFeatures: (progress) => [onFeatures?.(progress), onEvent({ kind: 'features', ...progress })],
    onProgress: (progress) => [onProgress?.(progress), onEvent({ kind: 'step', ...progress })],
    onEpoch: (record) => [onEpoch?.(record), onEvent({ kind: 'epoch', ...record })],
  };
}
