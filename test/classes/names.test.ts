import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readClassNames } from '../../src/classes/file.ts';
import { parseLiteral } from '../../src/classes/literal.ts';
import { namesIn, namesInText } from '../../src/classes/names.ts';
import { type Inspection, inspect } from '../../src/index.ts';
import { open } from '../../src/model.ts';
import { editedBytes } from '../../src/onnx/index.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

/** See fixtures/names/generate.py. */
const FOLDER = join(ROOT, 'fixtures/names');
const expected: Record<string, unknown> = JSON.parse(readFileSync(join(FOLDER, 'names.json'), 'utf8'));

async function inspected(path: string): Promise<Inspection> {
  const model = await open(path);
  try {
    return await inspect(model);
  } finally {
    model.close();
  }
}

describe('a model that names its classes', () => {
  it.each([
    ['ultralytics.onnx', 'ultralytics', /metadata "names"/],
    ['strings.onnx', 'strings', /labels of ZipMap/],
    ['values.onnx', 'values', /labels of ZipMap/],
    ['extractor.onnx', 'extractor', /labels of ArrayFeatureExtractor/],
    ['hf/onnx/model.onnx', 'hf', /^id2label of .*names.hf.config\.json$/],
  ])('%s', async (file, key, from) => {
    const { classNames } = await inspected(join(FOLDER, file));
    expect(classNames?.names).toEqual((expected[key] as unknown[]).map(String));
    expect(classNames?.from).toMatch(from);
  });

  it('inspect shows the names and where they come from', async () => {
    const { stdout } = await lossgraft(['inspect', join(FOLDER, 'hf/onnx/model.onnx')]);
    expect(stdout).toMatch(/^class names +0 eight, 1 two, .*9 three: id2label of .*config\.json$/m);
    const plain = await lossgraft(['inspect', join(ROOT, 'fixtures/digits/model.onnx')]);
    expect(plain.stdout).toMatch(/^class names +unknown$/m);
  });

  /** The digits network with other metadata, in a folder of its own. */
  async function digits(metadata: Readonly<Record<string, string>>, config?: unknown): Promise<Inspection> {
    const folder = temporaryFolder();
    const path = join(folder, 'model.onnx');
    const model = await open(join(ROOT, 'fixtures/digits/model.onnx'));
    writeFileSync(path, editedBytes(model.proto, { metadata: new Map(Object.entries(metadata)) }));
    model.close();
    if (config !== undefined) writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    return inspected(path);
  }
  const letters = [...'abcdefghij'];
  const id2label = Object.fromEntries(letters.map((name, k) => [k, name.toUpperCase()]));

  it.each([
    ['names', JSON.stringify(letters)],
    ['class_names', letters.join(',')],
    ['Labels', letters.join('\n')],
    ['label2id', JSON.stringify(Object.fromEntries(letters.map((name, k) => [name, k])))],
    ['classes', `{${letters.map((name, k) => `${k}: '${name}'`).join(', ')}}`],
  ])('metadata "%s": %s', async (key, text) => {
    expect((await digits({ [key]: text })).classNames).toEqual({
      names: letters,
      from: `the metadata "${key}" of the file`,
    });
  });

  it('the file counts before config.json; a contradiction is said', async () => {
    const { classNames, classNotes } = await digits({ names: JSON.stringify(letters) }, { id2label });
    expect(classNames?.names).toEqual(letters);
    expect(classNotes.join()).toMatch(/metadata "names" of the file and id2label of .* name the classes differently/);
  });

  it('placeholders give way to names', async () => {
    const placeholders = JSON.stringify(letters.map((_, k) => `LABEL_${k}`));
    expect((await digits({ names: placeholders }, { id2label })).classNames?.names[0]).toBe('A');
    expect((await digits({ names: placeholders })).classNames?.names[0]).toBe('LABEL_0');
  });

  it('names of another number of classes are left aside, and said', async () => {
    const { classNames, classNotes } = await digits({}, { id2label: { 0: 'a', 1: 'b' } });
    expect(classNames).toBeNull();
    expect(classNotes.join()).toMatch(/names 2 classes, but the model has 10; these names are ignored/);
  });

  it('a config.json that is none is said', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'onnx'));
    copyFileSync(join(ROOT, 'fixtures/digits/model.onnx'), join(folder, 'onnx/model.onnx'));
    writeFileSync(join(folder, 'config.json'), '{');
    const { classNames, classNotes } = await inspected(join(folder, 'onnx/model.onnx'));
    expect(classNames).toBeNull();
    expect(classNotes.join()).toMatch(/config\.json is not a JSON file/);
  });
});

describe('names in texts', () => {
  it.each([
    [
      `{0: 'a', 1: "it's", 2: 'caf\\xe9', 3: '\\u732b', 4: '\\U0001f600', 5: 'b\\\\n'}`,
      ['a', "it's", 'café', '猫', '😀', 'b\\n'],
    ],
    [`{1: 'b', 0: 'a'}`, ['a', 'b']],
    [`['a', 'b',]`, ['a', 'b']],
    [`("a", "b")`, ['a', 'b']],
    [`{"0": "\\ud83d\\ude00", "1": "\\/"}`, ['😀', '/']],
    [`{'b': 1, 'a': 0}`, ['a', 'b']],
    [`{0: 'a', 2: 'b'}`, undefined],
    [`{0: f('a')}`, undefined],
    ['{}', undefined],
    [`['a', ['b']]`, undefined],
    ['10', undefined],
  ])('%s', (text, names) => expect(namesInText(text, undefined)).toEqual(names));

  it('a dictionary that could be both is read as its name says', () => {
    const turned = { 0: '1', 1: '2', 2: '0' };
    expect(namesIn(turned)).toEqual(['1', '2', '0']);
    expect(namesIn(turned, true)).toEqual(['2', '0', '1']);
  });

  it('a million brackets are no list', () => {
    expect(parseLiteral('['.repeat(1e6))).toBeUndefined();
  });
});

describe('a file of names', () => {
  const file = (name: string, text: string): string => {
    const path = join(temporaryFolder(), name);
    writeFileSync(path, text);
    return path;
  };
  it('has a line for each, or is JSON', () => {
    expect(readClassNames('a,b')).toEqual(['a', 'b']);
    expect(readClassNames(file('n.txt', '\uFEFFred fox\r\na, b\r\n'))).toEqual(['red fox', 'a, b']);
    expect(readClassNames(file('n.json', '["a, b", "c"]'))).toEqual(['a, b', 'c']);
    expect(readClassNames(join(FOLDER, 'hf/config.json'))).toEqual(expected.hf);
  });
  it.each([
    ['n.json', '{'],
    ['n.json', '{"0": "a", "2": "b"}'],
    ['n.txt', ''],
  ])('%s %j is refused', (name, text) => {
    expect(() => readClassNames(file(name, text))).toThrow(expect.objectContaining({ code: 'class-names-file' }));
  });
});
