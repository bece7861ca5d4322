import { kebabCase } from '../src/catalogue.ts';
import type { GraftReport, Inspection } from '../src/index.ts';
import { formatNumber } from './io.ts';

/** The rows of a report on what was grafted. */
export function graftRows(done: GraftReport): (readonly [string, string])[] {
  const { logits, features, classWeights, classCounts } = done;
  const options = Object.entries(done.options).map(([key, value]) => `${kebabCase(key)} ${String(value)}`);
  return [
    ['loss', [`${done.loss}, ${done.reduction} over the samples`, ...options].join(', ')],
    ['logits', `${logits.name}: ${logits.how}`],
    ['head', headName(done.head)],
    ...(features === null ? [] : [['features', `${features.name}: ${features.how}`] as const]),
    ['classes', done.classes === null ? 'unknown' : String(done.classes)],
    ['class weights', classWeights === null ? 'none' : `${classWeights.how}: ${shortList(classWeights.values)}`],
    ...(classCounts === null ? [] : [['class counts', shortList(classCounts)] as const]),
  ];
}

/** The kind, and whether the file states it. */
export function headName({ kind, isStated }: Pick<NonNullable<Inspection['head']>, 'kind' | 'isStated'>): string {
  if (kind === 'sigmoid-binary') return `sigmoid-binary (a softmax over [0, z])${isStated ? '' : ', assumed'}`;
  return kind !== 'softmax' || isStated ? kind : 'softmax (exclusive classes), assumed';
}

function shortList(values: readonly number[]): string {
  const shown = values.slice(0, 10).map((value) => formatNumber(Number(value.toPrecision(4))));
  return values.length > 10 ? `${shown.join(', ')}, … (${values.length})` : shown.join(', ');
}
