import type { TrainOptions } from './options.ts';

/** The listeners of the single events, which the one for all hears too. */
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
