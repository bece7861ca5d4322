import { LossgraftError } from '../errors.ts';
import { fromBytes } from '../files/bytes.ts';
import { elementPatches } from '../onnx/patchedSource.ts';
import { readWith } from '../onnx/readWith.ts';
import { scan } from '../onnx/scan.ts';
import type { ModelProto, TensorProto } from '../onnx/types.ts';
import type { Tensor } from '../tensor.ts';
import { locate, type Readable, trainedBytes, withScales } from './locate.ts';

/**
 * The bytes of a model with trained weights in place of its own: `writeTuned` without files, as in a browser. Every other byte stays.
 *
 * @param bytes a file that contains its weights.
 * @param states trained parameters and running statistics by name; no slots.
 * @throws LossgraftError `not-in-file`, also for the second name of a tie, `state-mismatch`, `external-weights`.
 */
export function tunedBytes(
  bytes: Uint8Array,
  states: ReadonlyMap<string, Tensor>,
  name = 'model.onnx',
): Uint8Array<ArrayBuffer> {
  const source = fromBytes(bytes, name);
  const { model, state } = withScales(inMemory(name, scan(source)), states);
  const { tensors } = locate(model, state.keys(), []);
  const tuned = Uint8Array.from(bytes);
  for (const [parameter, tensor] of state) {
    const place = tensors.get(parameter);
    if (place === undefined) continue;
    if (place.payload.kind === 'external') throw external(name, parameter);
    const elements = trainedBytes(model, parameter, tensor, place);
    for (const patch of elementPatches(source, place, elements)) tuned.set(patch.bytes, patch.offset);
  }
  return tuned;
}

function inMemory(name: string, proto: ModelProto): Readable {
  const nothing = (): void => {};
  const read = (tensor: TensorProto): Tensor =>
    readWith(proto.source, tensor, () => {
      throw external(name, tensor.name);
    });
  const opset = proto.opsetImports.get('') ?? 1;
  return { path: null, name, dir: '', proto, opset, read, close: nothing, [Symbol.dispose]: nothing };
}

function external(model: string, parameter: string): LossgraftError {
  return new LossgraftError({
    code: 'external-weights',
    where: `${model}, tensor "${parameter}"`,
    expected: 'elements inside the file',
    found: 'external data',
    hint: 'Save the model with embedded weights, or use writeTuned in Node',
  });
}
