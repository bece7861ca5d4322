/**
 * A stream of random 32-bit numbers that depends on its keys alone: xoshiro128** (Blackman and Vigna, ACM TOMS 47, 2021), seeded by a
 * hash of the keys.
 */
export interface Random {
  /** 0 to 2³²−1. */
  next(): number;
  /** 0 to `n`−1, each equally likely; `n` up to 2³². */
  below(n: number): number;
}

/** The stream of `keys`, whole numbers such as (seed, epoch, row). */
export function random(...keys: readonly number[]): Random {
  return xoshiro(stateOf(keys));
}

/** The numbers 0 to `length`−1 in random order (Fisher–Yates). */
export function permutation(length: number, ...keys: readonly number[]): Uint32Array {
  return shuffle(
    Uint32Array.from({ length }, (_, i) => i),
    random(...keys),
  );
}

/** Reorders `values` in place. */
export function shuffle(values: Uint32Array, { below }: Random): Uint32Array {
  for (let i = values.length - 1; i > 0; i--) {
    const j = below(i + 1);
    const held = values[i] ?? 0;
    values[i] = values[j] ?? 0;
    values[j] = held;
  }
  return values;
}

/** The generator itself, for a state that is not all zeros. */
export function xoshiro(state: readonly [number, number, number, number]): Random {
  let [a, b, c, d] = state;
  const next = (): number => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result;
  };
  const below = (n: number): number => {
    const whole = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const drawn = next();
      if (drawn < whole) return drawn % n;
    }
  };
  return { next, below };
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** Keys are absorbed as 32-bit words, low word first; four words are squeezed out as SplitMix does, which no key leaves at 0. */
function stateOf(keys: readonly number[]): [number, number, number, number] {
  const words = keys.flatMap((key) => [key | 0, Math.floor(key / 2 ** 32) | 0]);
  let hash = words.length;
  for (const word of words) hash = mix(Math.imul(hash, 0x01000193) ^ mix(word + 0x9e3779b9));
  const squeeze = (i: number): number => mix(hash + Math.imul(i, 0x9e3779b9));
  return [squeeze(1), squeeze(2), squeeze(3), squeeze(4)];
}

/** MurmurHash3's finalizer: a bijection, so that at most one of four different words is 0. */
function mix(word: number): number {
  let hash = word;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
