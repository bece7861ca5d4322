import { type Classifier, scoreBatches } from '../classifier/classifier.ts';
import type { Dataset } from '../data/dataset.ts';
import { settleProvider } from '../lower/provider.ts';
import type { OpenedModel } from '../model.ts';
import { checkedPart, type PartOptions, type PartReport, writePart } from '../parts/write.ts';
import { evaluateRows } from '../tables/evaluate.ts';
import { classifiersFor, type EvaluateOptions, inputsOf } from './evaluate.ts';
import { alignedFor, type Judging, noteKeeper } from './judge.ts';

export type EvaluatePartOptions = EvaluateOptions & PartOptions;

/** See src/laterVerbs.ts. */
export async function evaluatePart(
  given: OpenedModel,
  data: Dataset,
  { against, ...options }: EvaluatePartOptions,
): Promise<PartReport> {
  const { part, ...others } = checkedPart(evaluateRows, options);
  const { first, other } = await classifiersFor(given, data, { ...others, against });
  const notes = noteKeeper(others.onNote);
  const { provider } = await settleProvider(others.provider);
  const inputs = await inputsOf(given, data, { ...others, against });
  return writePart({ ...part, inputs, provider }, async (passOf) => {
    const own = { options: { ...others, provider }, notes };
    const names = await scoreAll(first, data, { ...own, pass: passOf('own') });
    if (other) await scoreAll(other, data, { ...own, names, pass: passOf('against') });
  });
}

/** Scores all rows of a pass, and gives the names of the classes. */
async function scoreAll(classifier: Classifier, given: Dataset, how: Judging): Promise<readonly string[] | undefined> {
  how.notes.add(classifier.notes);
  const { data } = await alignedFor(classifier, given, how.names);
  const { options, pass, notes } = how;
  for await (const _ of scoreBatches(classifier, data, true, { ...options, pass, onNotes: notes.add }));
  return data.classNames;
}
