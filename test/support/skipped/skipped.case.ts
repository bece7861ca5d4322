import { describe, it } from 'vitest';
import { needs } from '../needs.ts';

it('runs', needs(true, 'nothing'), () => {});
describe('two that need a judge', needs(false, 'a judge'), () => {
  it.each([1, 2])('%i', () => {});
});
it('needs another', needs(false, 'another'), () => {});
it('says why', (context) => context.skip('a note'));
