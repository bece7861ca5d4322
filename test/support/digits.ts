import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onnx } from '../onnx/models.ts';
import { ROOT } from './cli.ts';

export const DIGITS: string = join(ROOT, 'fixtures/digits');

/** Ways to keep weights in a file. */
export type Storage = 'raw' | 'typed' | 'constant' | 'external';

type Proto = ReturnType<typeof onnx.ModelProto.decode>;

/** The digits network with its float32 weights kept in another way, written by onnx-proto to `folder`. */
export function digitsWith(storage: Storage, folder: string): string {
  const proto = onnx.ModelProto.decode(readFileSync(join(DIGITS, 'model.onnx')));
  if (storage !== 'raw') rewrite(proto, storage, folder);
  const path = join(folder, 'net.onnx');
  writeFileSync(path, onnx.ModelProto.encode(proto).finish());
  return path;
}

function rewrite(proto: Proto, storage: Storage, folder: string): void {
  const { graph } = proto;
  if (!graph) throw new Error('no graph');
  const weights = (graph.initializer ?? []).filter(({ dataType }) => dataType === 1);
  let offset = 16;
  const data: Uint8Array[] = [new Uint8Array(offset)];
  for (const tensor of weights) {
    const raw = Uint8Array.from(tensor.rawData ?? []);
    if (storage === 'external') {
      tensor.dataLocation = 1;
      tensor.externalData = [
        { key: 'location', value: 'net.data' },
        { key: 'offset', value: String(offset) },
        { key: 'length', value: String(raw.length) },
      ] as NonNullable<typeof tensor.externalData>;
      data.push(raw);
      offset += raw.length;
    } else tensor.floatData = Array.from(new Float32Array(raw.buffer));
    tensor.rawData = new Uint8Array(0);
    delete tensor.rawData;
  }
  if (storage === 'external') writeFileSync(join(folder, 'net.data'), Buffer.concat(data));
  if (storage !== 'constant') return;
  const nodes = weights.map((tensor) =>
    onnx.NodeProto.create({
      opType: 'Constant',
      output: [tensor.name ?? ''],
      attribute: [{ name: 'value', type: 4, t: { ...tensor, name: '' } }],
    }),
  );
  graph.initializer = (graph.initializer ?? []).filter((tensor) => !weights.includes(tensor));
  graph.node = [...nodes, ...(graph.node ?? [])];
}

/** The float32 weights of a file as onnx-proto reads them, by name; external ones from `folder`. */
export function weightsIn(path: string, folder: string): Map<string, Float32Array> {
  const { graph } = onnx.ModelProto.decode(readFileSync(path));
  const constants = (graph?.node ?? []).flatMap(({ opType, attribute, output }) =>
    opType === 'Constant' ? (attribute ?? []).map(({ t }) => ({ ...t, name: output?.[0] })) : [],
  );
  const found = new Map<string, Float32Array>();
  for (const { name, dataType, rawData, floatData, externalData } of [...(graph?.initializer ?? []), ...constants]) {
    if (dataType !== 1 || !name) continue;
    const entries = new Map(externalData?.map(({ key, value }) => [key, value ?? '']));
    const location = entries.get('location');
    if (location) {
      const at = Number(entries.get('offset'));
      const bytes = readFileSync(join(folder, location)).subarray(at, at + Number(entries.get('length')));
      found.set(name, new Float32Array(Uint8Array.from(bytes).buffer));
    } else if (rawData && rawData.length > 0) found.set(name, new Float32Array(Uint8Array.from(rawData).buffer));
    else found.set(name, Float32Array.from(floatData ?? []));
  }
  return found;
}
