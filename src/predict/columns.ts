import type { Layout, Prediction } from './prediction.ts';

/** A column of a table of predictions. */
export type PredictionColumn = { readonly name: string } & (
  | { readonly type: 'integer' | 'float32'; of(prediction: Prediction): number }
  | { readonly type: 'text'; of(prediction: Prediction): string }
);

/**
 * The columns: row, source if samples are files, labels if there may be several, class, index, probability, the next classes, and the
 * probabilities of all.
 */
export function columnsOf({ topK, areAll, hasSource, isMultiLabel, classNames }: Layout): PredictionColumn[] {
  const next = Array.from({ length: topK - 1 }, (_, i) => i + 1);
  const all = areAll ? classNames() : [];
  return [
    { name: 'row', type: 'integer', of: ({ row }) => row },
    ...(hasSource ? [{ name: 'source', type: 'text', of: ({ source = '' }: Prediction) => source } as const] : []),
    ...(isMultiLabel ? [LABELS] : []),
    ...candidate(isMultiLabel ? '_1' : '', 0),
    ...next.flatMap((place) => candidate(`_${place + 1}`, place)),
    ...all.map(
      (name, k) =>
        ({
          name: `p_${name}`,
          type: 'float32',
          of: ({ probabilities }: Prediction) => probabilities?.[k] ?? Number.NaN,
        }) as const,
    ),
  ];
}

/** The names of all labels that are predicted, in one cell. */
const LABELS: PredictionColumn = {
  name: 'labels',
  type: 'text',
  of: ({ labels = [] }) => labels.map((label) => label.class).join('|'),
};

function candidate(suffix: string, place: number): PredictionColumn[] {
  return [
    { name: `class${suffix}`, type: 'text', of: ({ top }) => top[place]?.class ?? '' },
    { name: `index${suffix}`, type: 'integer', of: ({ top }) => top[place]?.index ?? -1 },
    { name: `probability${suffix}`, type: 'float32', of: ({ top }) => top[place]?.probability ?? Number.NaN },
  ];
}
