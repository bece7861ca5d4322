import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { classNames } from '../../src/classes/names.ts';
import { alignLabels } from '../../src/data/alignLabels.ts';
import { type Dataset, fromTensors, labelsOf, openData, writeNpz } from '../../src/index.ts';
import { temporaryFolder } from '../support/cli.ts';

const MODEL = classNames(['dog', 'cat', 'café', 'fish'], 'config.json');

/** A folder with one text in each class. */
function folder(names: readonly string[]): string {
  const path = join(temporaryFolder(), 'data');
  for (const name of names) {
    mkdirSync(join(path, name), { recursive: true });
    writeFileSync(join(path, name, 'a.txt'), name);
  }
  return path;
}

function csv(labels: readonly string[]): Promise<Dataset> {
  const path = join(temporaryFolder(), 'data.csv');
  writeFileSync(path, `x,label\n${labels.map((label) => `1,${label}`).join('\n')}\n`);
  return openData(path);
}

const arrays = (labels: readonly number[]): Dataset =>
  fromTensors({
    x: { dtype: 'float32', dims: [labels.length, 1], data: new Float32Array(labels.length) },
    labels: { dtype: 'int64', dims: [labels.length], data: BigInt64Array.from(labels, BigInt) },
  });

async function aligned(data: Dataset | Promise<Dataset>, names: Parameters<typeof alignLabels>[1]['names']) {
  const given = await alignLabels(await data, { names });
  const { notes = [], classNames: called } = given;
  return { labels: Array.from(await labelsOf(given), Number), notes: notes.join('\n'), names: called };
}

describe('labels that are one-hot', () => {
  const PLACES = [2, 0, 3, 0, 1];
  const rows = (
    dtype: 'float32' | 'uint8',
    change: (row: number, k: number) => number | undefined = () => undefined,
  ) => {
    const numbers = PLACES.flatMap((place, row) => [0, 1, 2, 3].map((k) => change(row, k) ?? Number(k === place)));
    const data = dtype === 'uint8' ? Uint8Array.from(numbers) : Float32Array.from(numbers);
    return fromTensors({ labels: { dtype, dims: [5, 4], data } });
  };
  const exclusive = { names: MODEL, task: 'exclusive', classes: 4 } as const;

  it.each(['float32', 'uint8'] as const)(
    'are the place of the 1 with exclusive classes, and said: %s',
    async (dtype) => {
      const given = await alignLabels(rows(dtype), exclusive);
      expect(Array.from(await labelsOf(given), Number)).toEqual(PLACES);
      expect(given.notes).toEqual([
        'tensors: labels are rows with one 1 each (one-hot), whose place is the class of the sample',
        'tensors: labels are class indices: 0 dog, 1 cat, 2 café, 3 fish, by config.json',
      ]);
      const part = await given.columns.get('labels')?.read(2, 2);
      expect(part?.data).toEqual(BigInt64Array.of(3n, 0n));
    },
  );

  it('are places also where the classes are numbers', async () => {
    const names = classNames(['3', '5', '8', '0'], 'config.json');
    expect(Array.from(await labelsOf(await alignLabels(rows('uint8'), { ...exclusive, names })), Number)).toEqual(
      PLACES,
    );
  });

  it('are by name where the columns have names, and in their order where the model has none', async () => {
    const path = join(temporaryFolder(), 'data.csv');
    writeFileSync(path, 'x,fish,dog,café,cat\n1,1,0,0,0\n1,0,0,1,0\n1,0,0,0,1\n');
    const data = () => openData(path, { labelColumns: ['fish', 'dog', 'café', 'cat'] });
    const named = await alignLabels(await data(), exclusive);
    expect(Array.from(await labelsOf(named), Number)).toEqual([3, 2, 1]);
    const unnamed = await alignLabels(await data(), { ...exclusive, names: undefined });
    expect(Array.from(await labelsOf(unnamed), Number)).toEqual([0, 2, 3]);
    expect(unnamed.notes?.at(-1)).toMatch(/classes 0 fish, 1 dog, 2 café, 3 cat in the order of the data’s columns/);
  });

  it('stay as they are for several labels; other rows and widths are no classes', async () => {
    const several = await alignLabels(rows('uint8'), { ...exclusive, task: 'multi-label' });
    expect(several.columns.get('labels')?.dims).toEqual([5, 4]);
    const two = await alignLabels(
      rows('uint8', (row) => (row === 1 ? 1 : undefined)),
      exclusive,
    );
    await expect(labelsOf(two)).rejects.toThrow(/multi-hot labels, uint8\[5, 4\]: 4 classes in row 1/);
    await expect(alignLabels(rows('uint8'), { ...exclusive, classes: 5 })).rejects.toThrow(
      /expected one-hot labels of the model’s 5 classes, \[N, 5\], found uint8\[5, 4\]/,
    );
  });
});

describe('labels with names', () => {
  it('are matched by name, and said; a class may be missing', async () => {
    const { labels, notes, names } = await aligned(csv(['cat', 'fish', 'dog', 'cat']), MODEL);
    expect(labels).toEqual([1, 3, 0, 1]);
    expect(names).toEqual(MODEL.names);
    expect(notes).toMatch(
      /matched by name with config\.json: classes 0 dog, 1 cat, 2 café, 3 fish; no samples of 2 café$/,
    );
  });

  it('in another form of Unicode are the same names', async () => {
    expect((await aligned(csv(['cafe\u0301', 'dog']), MODEL)).labels).toEqual([2, 0]);
  });

  it.each([
    ['in another case', ['Cat', 'café', 'dog', 'fish'], /"Cat" \(nearest: "cat"\).*`classes: "dog,Cat,café,fish"`\.$/],
    [
      'spelled otherwise',
      ['cat', 'cafe', 'dog', 'fish'],
      /"cafe" \(nearest: "café"\).*`classes: "dog,cat,cafe,fish"`\.$/,
    ],
    ['one more', ['bird', 'cat', 'café', 'dog', 'fish'], /row 0 .*found "bird" \(nearest.*`classes`/],
    ['another', ['bird', 'cat', 'café', 'dog'], /"bird" .*`classes`/],
  ])('%s are refused', async (_, labels, message) => {
    const refusal = aligned(csv(labels), MODEL);
    await expect(refusal).rejects.toMatchObject({ code: 'unknown-class', message: expect.stringMatching(message) });
  });

  it('that a model has twice are refused, others not', async () => {
    const twice = classNames(['crane', 'dog', 'crane'], 'config.json');
    expect((await aligned(csv(['dog']), twice)).labels).toEqual([1]);
    await expect(aligned(csv(['crane', 'dog']), twice)).rejects.toThrow(
      /"crane", which config\.json names more than once/,
    );
  });

  it('are sorted, and that is said loudly, where nothing tells the model’s', async () => {
    const { labels, notes } = await aligned(csv(['b', 'a']), undefined);
    expect(labels).toEqual([1, 0]);
    expect(notes).toMatch(/classes 0 a, 1 b in SORTED ORDER.*`classes`/);
  });

  it('are sorted where the model’s only count, unless they are those', async () => {
    const counting = classNames(['LABEL_0', 'LABEL_1', 'LABEL_2'], 'config.json');
    expect((await aligned(csv(['b', 'a', 'c']), counting)).notes).toMatch(/LABEL_0 and so on: it does not say/);
    expect((await aligned(csv(['LABEL_2', 'LABEL_0']), counting)).labels).toEqual([2, 0]);
  });

  it('of folders name the folder that is wrong', async () => {
    const path = folder(['cat', 'dog', 'wolf']);
    const data = await openData(path, { ...TEXTS }).catch((error: unknown) => error);
    expect(data).toMatchObject({ problem: { code: 'unknown-class', where: join(path, 'wolf') } });
  });
});

const TEXTS = {
  tokenizer: join(import.meta.dirname, '../../fixtures/sentences/tokenizer.json'),
  maxLength: 4,
  classes: ['cat', 'dog'],
};

describe('whole numbers', () => {
  const twelve = Array.from({ length: 12 }, (_, k) => String(k));
  const texts = (names: readonly string[]): Promise<Dataset> => {
    const { classes: _, ...options } = TEXTS;
    return openData(folder(names), options);
  };

  it('that are names of folders are indices, never sorted as text', async () => {
    const { labels, names } = await aligned(texts(twelve), undefined);
    expect(labels.toSorted((a, b) => a - b)).toEqual(twelve.map(Number));
    const data = await texts(twelve);
    for (const [row, label] of (await labelsOf(data)).entries()) expect(data.describeRow?.(row)).toBe(`${label}/a.txt`);
    expect(names).toBeUndefined();
  });

  it('with zeros before them too', async () => {
    expect((await aligned(texts(['00', '01', '10']), undefined)).labels).toEqual([0, 1, 10]);
  });

  it('are indices beside names', async () => {
    const { labels, notes, names } = await aligned(arrays([3, 0]), MODEL);
    expect([labels, names]).toEqual([[3, 0], MODEL.names]);
    expect(notes).toMatch(/class indices: 0 dog, 1 cat, 2 café, 3 fish, by config\.json/);
    expect((await aligned(csv(['3', '0']), MODEL)).labels).toEqual([3, 0]);
  });

  const values = classNames(['3', '5', '8', '10'], 'ZipMap', true);
  it('are values where the model’s labels are', async () => {
    const { labels, notes } = await aligned(texts(['10', '3', '5', '8']), values);
    // Folders in the order of their names as texts: 10, 3, 5, 8.
    expect(labels).toEqual([3, 0, 1, 2]);
    expect(notes).toMatch(/matched by value with ZipMap: 3 is class 0, 5 is class 1/);
    expect((await aligned(csv(['8', '10', '3']), values)).labels).toEqual([2, 3, 0]);
    expect((await aligned(arrays([10, 3]), values)).labels).toEqual([3, 0]);
    expect((await aligned(arrays([3, 3]), values)).labels).toEqual([0, 0]);
  });

  it('below 0 too, as of two classes', async () => {
    const two = classNames(['-1', '1'], 'ZipMap', true);
    expect((await aligned(csv(['1', '-1']), two)).labels).toEqual([1, 0]);
    expect((await aligned(arrays([1, -1]), two)).labels).toEqual([1, 0]);
  });

  it('that are no values are indices in arrays, and refused as cells and folders', async () => {
    expect((await aligned(arrays([0, 2]), values)).labels).toEqual([0, 2]);
    await expect(aligned(csv(['0', '3']), values)).rejects.toThrow(/found 0\. .*`classes: "0,1,2,3"`/);
    await expect(aligned(arrays([0, 10]), values)).rejects.toMatchObject({ code: 'unknown-class' });
  });

  it('sorted as text by whoever made the model are names of folders and cells, and indices in arrays', async () => {
    const sorted = classNames(twelve.toSorted(), 'config.json');
    expect((await aligned(csv(['10', '2']), sorted)).labels).toEqual([2, 4]);
    expect((await aligned(arrays([10, 2]), sorted)).labels).toEqual([10, 2]);
  });
});

describe('labels that are texts in arrays and files', () => {
  const x = { dtype: 'float32', dims: [3, 1], data: new Float32Array(3) } as const;
  it('are names', async () => {
    const path = join(temporaryFolder(), 'data.npz');
    await writeNpz(path, { x, labels: { dtype: 'string', dims: [3], data: ['fish', 'dog', 'fish'] } });
    expect((await aligned(openData(path), MODEL)).labels).toEqual([3, 0, 3]);
    const labels = join(temporaryFolder(), 'labels.txt');
    writeFileSync(labels, 'cat\r\ndog\r\ncat\r\n');
    await writeNpz(path, { x });
    expect((await aligned(openData(path, { labels }), MODEL)).labels).toEqual([1, 0, 1]);
    expect((await aligned(openData(path, { labels, classes: ['dog', 'cat'] }), undefined)).labels).toEqual([1, 0, 1]);
  });
});
