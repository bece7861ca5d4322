import type { Tensor } from '../../src/browser.ts';

export type FloatTensor = Tensor & { readonly dtype: 'float32'; readonly data: Float32Array };

/** The float32 tensors of a safetensors file: the length of a JSON header (uint64), the header, the elements. */
export function readSafetensors(bytes: Uint8Array): Map<string, FloatTensor> {
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const { __metadata__, ...entries }: Header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const tensors = Object.entries(entries).map(
    ([
      name,
      {
        shape,
        data_offsets: [from, to],
      },
    ]) => {
      const data = new Float32Array(Uint8Array.from(bytes.subarray(start + from, start + to)).buffer);
      return [name, { dtype: 'float32', dims: shape, data }] as const;
    },
  );
  return new Map(tensors);
}

type Header = Record<string, { readonly shape: readonly number[]; readonly data_offsets: readonly [number, number] }>;
