import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const MODEL = join(ROOT, 'fixtures/digits/model.onnx');
const CLASSES = ['red fox', 'größe', '猫', "o'hara & co", 'e', 'f', 'g', 'h', 'i', 'j'];
const FIT = ['--resize', '8x8', '--channels', '1'];
// What one epoch gives is seldom shown to be better, and is written all the same.
const SHORT = [...FIT, '--epochs', '1', '--write-anyway'];

/** A folder that each attempt may change. */
function photos(): string {
  const folder = join(temporaryFolder(), 'photos');
  cpSync(source, folder, { recursive: true });
  return folder;
}
const source = mkdtempSync(join(tmpdir(), 'lossgraft-photos-'));

beforeAll(async () => {
  for (const [k, name] of CLASSES.entries()) {
    mkdirSync(join(source, name), { recursive: true });
    for (let i = 0; i < 6; i++) {
      const data = Uint8Array.from({ length: 960 }, (_, j) => 128 + 100 * Math.sin(0.1 * j * (k + 1) + i));
      const image = sharp(data, { raw: { width: 20, height: 16, channels: 3 } });
      await image.jpeg().toFile(join(source, name, `picture ${i}.jpg`));
    }
  }
});
afterAll(() => rmSync(source, { recursive: true, force: true }));

interface Attempt {
  readonly code: number | null;
  readonly stderr: string;
  readonly stdout: string;
}

async function train(data: string, args: readonly string[], output?: string): Promise<Attempt> {
  return lossgraft([
    'train',
    MODEL,
    '--data',
    data,
    '--write-anyway',
    '--folds',
    '1',
    '-o',
    output ?? join(temporaryFolder(), 'tuned.onnx'),
    ...args,
  ]);
}

describe('a folder of images', () => {
  it('with names of any letters trains', async () => {
    const { code, stdout, stderr } = await train(photos(), SHORT);
    expect(stderr).toMatch(/classes 0 e, 1 f, 2 g, 3 größe, .*7 o'hara & co, 8 red fox, 9 猫/);
    expect(stdout).toMatch(/^red fox +5 .*\n猫 +5 /m);
    expect(code).toBe(0);
  });

  const anywhere = join(ROOT, 'no/such/photos');
  const twice = ['--classes', 'red fox,größe,red fox'];
  const more = [...CLASSES.slice(0, 9), 'k', 'j'].join();
  const cases: readonly (readonly [string, (folder: string) => void, readonly string[], RegExp])[] = [
    [
      'in another size',
      () => {},
      [],
      /input images\] expected float32\[N, 1, 8, 8\], found .*60, 3, 16, 20\].*--resize 8x8 --channels 1/,
    ],
    [
      'with a class named twice',
      () => {},
      [...SHORT, ...twice],
      /option classes\].* each class once, found "red fox" more/,
    ],
    [
      'with more classes than the model',
      () => {},
      [...SHORT, '--classes', more],
      /at most 10 classes, the number that the model has, found 11, with the fewest samples "k" \(0\), /,
    ],
    [
      'with a typo in the name of a folder',
      (folder) => {
        mkdirSync(join(folder, 'grösse'));
        renameSync(join(folder, 'größe/picture 1.jpg'), join(folder, 'grösse/picture 1.jpg'));
      },
      SHORT,
      /photos\] .* found 11, with the fewest samples "grösse" \(1\), "größe" \(5\), /,
    ],
    [
      'with a class that is not there',
      (folder) => rmSync(join(folder, 'h'), { recursive: true }),
      SHORT,
      /training samples of all 10 classes.* none of class 9/,
    ],
    [
      'with an image that is cut short',
      (folder) => {
        const path = join(folder, 'g/picture 3.jpg');
        writeFileSync(path, readFileSync(path).subarray(0, 300));
      },
      SHORT,
      /g\/picture 3\.jpg\] expected a whole image, found [^\n]*\. The file is damaged or truncated; replace or remove it\.$/,
    ],
    [
      'with text in place of an image',
      (folder) => writeFileSync(join(folder, 'g/picture 3.jpg'), 'hello'),
      SHORT,
      /g\/picture 3\.jpg\] expected JPEG, .* found other bytes/,
    ],
    [
      'with an empty class',
      (folder) => {
        rmSync(join(folder, 'h'), { recursive: true });
        mkdirSync(join(folder, 'h'));
      },
      SHORT,
      /photos\/h\] expected images of class h, found none/,
    ],
    [
      'with a folder in a class',
      (folder) => mkdirSync(join(folder, 'h/more')),
      SHORT,
      /h\/more\] expected files in the folder of a class, found a folder/,
    ],
    [
      'and a loss with a typo to compare',
      () => {},
      [...SHORT, '--compare', 'ib-fokal'],
      /option compare\].* mean ib-focal/,
    ],
    [
      'and test data that are not there',
      () => {},
      [...SHORT, '--test', anywhere],
      /no\/such\/photos\] .* no such file/,
    ],
    [
      'and a learning rate that is no number',
      () => {},
      [...SHORT, '--learning-rate', 'high'],
      /--learning-rate expects a number/,
    ],
  ];
  it.each(cases)('%s is refused', async (_, change, args, message) => {
    const folder = photos();
    change(folder);
    const { code, stdout, stderr } = await train(folder, args);
    expect(stderr.trim().split('\n').at(-1)?.endsWith('shows the usage') ? stderr : stderr.trim()).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at |defect/m);
    expect([code, stdout]).toEqual([2, '']);
  });

  it('a class that is missing may move the others: a note says so', async () => {
    const folder = photos();
    rmSync(join(folder, 'h'), { recursive: true });
    const { code, stderr } = await train(folder, [...SHORT, '--loss', 'ce']);
    expect(stderr).toMatch(/note: .*photos has 9 classes, the model tells 10 apart: .* --classes names all of them/);
    expect(code).toBe(0);
  });
});

describe('outputs', () => {
  it('that are there, runs that are there, and what --resume says', async () => {
    const [data, folder] = [photos(), temporaryFolder()];
    const output = join(folder, 'tuned.onnx');
    expect((await train(data, SHORT, output)).code).toBe(0);
    expect((await train(data, SHORT, output)).stderr).toMatch(/tuned\.onnx\] expected no file there yet.*--force/);
    const other = join(folder, 'other.onnx');
    const again = ['--run', join(folder, 'tuned.run')];
    expect((await train(data, [...SHORT, ...again], other)).stderr).toMatch(/tuned\.run\].*--resume.*--run.*--force/);
    const { stderr } = await train(data, [...SHORT, '--seed', '3', ...again, '--resume'], other);
    expect(stderr).toMatch(/setting seed\] expected what the run began with: 0, found 3\. Resume with the same/);
    expect(existsSync(other)).toBe(false);
  });

  it('in a folder that may not be written into: said before training', async () => {
    const [data, folder] = [photos(), temporaryFolder()];
    const closed = join(folder, 'closed');
    mkdirSync(closed);
    // Root may write into any folder, but not make one in a file.
    const root = process.getuid?.() === 0;
    if (root) copyFileSync(MODEL, join(folder, 'file'));
    else chmodSync(closed, 0o555);
    const run = join(root ? join(folder, 'file') : closed, 'run');
    const { code, stderr } = await train(data, [...SHORT, '--run', run], join(folder, 'tuned.onnx'));
    expect(stderr).toMatch(/run\] expected a folder .* found E[A-Z]+: .* Choose another/);
    expect(stderr).not.toMatch(/before training|^\s+at /m);
    expect(code).toBe(2);
    expect(readdirSync(folder)).not.toContain('tuned.onnx');
    if (root) return;
    for (const args of [
      [...SHORT, '-o', join(closed, 'x.onnx')],
      [...SHORT, '-o', join(folder, 'x.onnx'), '--report', join(closed, 'x.html')],
    ]) {
      const result = await lossgraft(['train', MODEL, '--data', data, ...args]);
      expect(result.stderr).toMatch(/expected a folder with permission to write, found EACCES/);
    }
  });
});
