import type { Choices, Reading } from '../protocol.ts';
import { fieldValue } from './dom.ts';

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
