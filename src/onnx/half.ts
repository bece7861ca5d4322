const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

function bitsOf(value: number): number {
  f32[0] = value;
  return u32[0] ?? 0;
}

function ofBits(bits: number): number {
  u32[0] = bits;
  return f32[0] ?? 0;
}

/** IEEE binary16 bits to the number that they mean; exact. */
export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The float32 nearest to `value`, rounded to binary16 (ties to even): bits. Overflow gives infinity. */
export function numberToFloat16(value: number): number {
  const bits = bitsOf(value);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  // NaN keeps the upper bits of its payload and stays a NaN.
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  // 65520 and above round to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Below 2^-14: adding 0.5 aligns the last bit of float32 with that of a binary16 subnormal, and rounds to even.
  if (magnitude < 0x38800000) return sign | (bitsOf(ofBits(magnitude) + 0.5) - 0x3f000000);
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
}

/** bfloat16 bits to the number that they mean; exact. */
export function bfloat16ToNumber(bits: number): number {
  return ofBits((bits << 16) >>> 0);
}

/** The float32 nearest to `value`, rounded to bfloat16 (ties to even): bits. */
export function numberToBfloat16(value: number): number {
  const bits = bitsOf(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Each element converted: binary16 bits to float32. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, float16ToNumber);
}

/** Each element converted: float32 to binary16 bits, ties to even. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, numberToFloat16);
}

/** Each element converted: bfloat16 bits to float32. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, bfloat16ToNumber);
}

/** Each element converted: float32 to bfloat16 bits, ties to even. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, numberToBfloat16);
}
