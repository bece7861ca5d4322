import { describe, expect, test } from 'vitest';
import { compareGradients, findNetworks } from '../support/networks.ts';

/** float32 sums in another order than PyTorch's: a few times PyTorch's own error counts as equal too. */
const OWN_ERRORS = 4;

describe('gradients of whole networks equal PyTorch’s', () => {
  test.each(findNetworks().map((network) => [network.name, network] as const))('%s', async (_, network) => {
    const compared = await compareGradients(network);
    expect(compared.length).toBeGreaterThan(3);
    for (const { tensor, error, float32Error } of compared) {
      const bound = Math.max(network.rtol, OWN_ERRORS * (Number.isFinite(float32Error) ? float32Error : 0));
      expect(error, `${tensor}: ${error} relative, PyTorch float32 ${float32Error}`).toBeLessThanOrEqual(bound);
    }
  });
});
