/** The 97.5 % quantile of the normal distribution. */
const Z = 1.959963984540054;

/**
 * Wilson's 95 % interval for a share of `total` samples, such as a recall. It stays within 0…1, and has a width where the share is 0 or 1.
 *
 * @param hits a whole number from 0 to `total`, which is above 0.
 * @see Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927)
 */
export function wilson(hits: number, total: number): { readonly low: number; readonly high: number } {
  const share = hits / total;
  const scale = 1 + Z ** 2 / total;
  const centre = (share + Z ** 2 / (2 * total)) / scale;
  const half = (Z / scale) * Math.sqrt((share * (1 - share)) / total + Z ** 2 / (4 * total ** 2));
  return { low: hits === 0 ? 0 : centre - half, high: hits === total ? 1 : centre + half };
}
