import type { Choices, Reading } from '../protocol.ts';
import { element, fieldValue } from './dom.ts';

/** What the fields say; an empty one says nothing. */

export function choices(): Choices {
  return {
    trainable: fieldValue('trainable') === 'head' ? 'head' : 'all',
    goal: fieldValue('goal') === 'balanced-accuracy' ? 'balanced-accuracy' : 'macro-f1',
    ...given('epochs', Number),
    ...given('learningRate', Number),
    ...given('folds', Number),
  };
}

const TABLES = ['labelColumn', 'classes'] as const;

export function reading(holdsImages: boolean): Reading {
  const names = (text: string): readonly string[] => text.split(',').map((name) => name.trim());
  const numbers = (text: string): readonly number[] => text.split(',').map(Number);
  return {
    ...given(TABLES[0], String),
    ...given(TABLES[1], names),
    ...(holdsImages
      ? {
          ...given('resize', String),
          ...given('crop', String),
          ...given('channels', Number),
          ...given('mean', numbers),
          ...given('std', numbers),
        }
      : {}),
  };
}

function given<K extends string, V>(id: K, read: (text: string) => V): { readonly [key in K]?: V } {
  const text = fieldValue(id);
  return text === '' ? {} : ({ [id]: read(text) } as { readonly [key in K]?: V });
}

/** What a click takes at most. */
const CLICK_MS = 250;

/** Says of fields that what follows from them is stale, at the first key, and that they are settled, by Enter or when one leaves them. */
export function watchFields(ids: readonly string[], { stale, settled }: { stale(): void; settled(): void }): void {
  for (const id of ids) {
    const field = element(id);
    let isStale = false;
    field.addEventListener('input', () => {
      isStale = true;
      stale();
    });
    const settle = (): void => {
      isStale = false;
      // After the click that left the field, so that nothing moves under it.
      setTimeout(settled, CLICK_MS);
    };
    field.addEventListener('change', settle);
    // Who takes back what they typed makes no change.
    field.addEventListener('blur', () => isStale && settle());
  }
}
