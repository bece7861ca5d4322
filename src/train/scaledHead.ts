import { LossgraftError, option } from '../errors.ts';
import type { Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import type { Tensor } from '../tensor.ts';
import { findLogits, namedLogits } from '../transform/logits.ts';
import { prepare } from '../transform/prepare.ts';
import { SCALES } from '../transform/scales.ts';
import { type LinearHead, linearHead, mappedHead } from '../tuned/head.ts';

/**
 * The last layer, whose weights and bias absorb the class scales (Kang et al., ICLR 2020, learnable weight scaling).
 *
 * @throws LossgraftError `no-linear-head` if there is none with unshared weights.
 */
export async function headForScales(model: Model, logits: string | undefined, classes: number): Promise<LinearHead> {
  const { value, head } = await findHead(model, logits, classes);
  if (head) return head;
  throw new LossgraftError({
    code: 'no-linear-head',
    where: model.name,
    expected:
      'a last linear layer in float32, a Gemm, a convolution or a MatMul with an Add, whose weights nothing else reads: they take the scales',
    found: `none before "${value.name}"`,
    hint: `Take ${option('method', 'crt')}, which trains the last layer, or ${option('method', 'half')}`,
  });
}

/** The last layer with its weights and bias, if nothing else reads them. */
export async function lastLayer(
  model: Model,
  logits: string | undefined,
  classes: number,
): Promise<LinearHead | undefined> {
  return (await findHead(model, logits, classes)).head;
}

async function findHead(
  model: Model,
  logits: string | undefined,
  classes: number,
): Promise<{ readonly value: Value; readonly head: LinearHead | undefined }> {
  const { graph, opset } = await prepare(model, { batchNorm: 'frozen', dropout: 'off' });
  const { value, kind } = logits === undefined ? findLogits(graph, opset) : namedLogits(graph, logits, opset);
  return { value, head: linearHead(model, graph, value, kind === 'sigmoid-binary' ? 1 : classes) };
}

/** The state to write: the last layer's weights and bias times the scales, if these were trained; otherwise the state itself. */
export async function withoutScales(
  model: Model,
  logits: string | undefined,
  state: ReadonlyMap<string, Tensor>,
): Promise<ReadonlyMap<string, Tensor>> {
  const scales = state.get(SCALES);
  if (scales === undefined) return state;
  const all = Float64Array.from(scales.data, Number);
  const head = await headForScales(model, logits, all.length);
  const { dims } = head.weight.tensor;
  const outputs = dims.at(head.classesFirst ? 0 : -1) ?? 0;
  // The second of one logit's scores (0, z) is the file's.
  const scale = outputs === all.length ? all : all.slice(-outputs);
  const mapped = mappedHead(head, { scale, offset: new Float64Array(outputs) });
  if (mapped) return mapped;
  throw new Error('the bias of the last layer takes no scales');
}
