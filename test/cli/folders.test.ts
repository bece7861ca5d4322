import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const FOLDERS = join(ROOT, 'fixtures/folders');
const HOW = [
  '--write-anyway',
  '--loss',
  'ce',
  '--optimizer',
  'adamw',
  '--learning-rate',
  '0.003',
  '--epochs',
  '6',
  '--select',
  'last',
];

function workplace(): string {
  const cwd = temporaryFolder();
  cpSync(FOLDERS, cwd, { recursive: true });
  return cwd;
}

async function meanLoss(cwd: string, folder: string, data: string): Promise<number> {
  const augmented = await lossgraft(['augment', folder, '-o', `${folder}/ce.onnx`, '--loss', 'ce'], { cwd });
  expect(augmented.code, augmented.stderr).toBe(0);
  const args = ['run', `${folder}/ce.onnx`, '--data', data, '--json', '--csv', 'samples.csv', '--force'];
  const ran = await lossgraft(args, { cwd });
  expect(ran.code, ran.stderr).toBe(0);
  return JSON.parse(ran.stdout).loss;
}

it.each([
  ['vit', 'images', 'model.onnx', ['tiger', 'ant', 'moth', 'bee']],
  ['bert', 'reviews.csv', 'onnx/model.onnx', ['neutral', 'angry', 'happy']],
])(
  'train %s --data %s: a folder of Hugging Face becomes another with the tuned model',
  async (name, data, file, classes) => {
    const cwd = workplace();
    const trained = await lossgraft(['train', `./${name}/`, '--data', data, ...HOW, '--json'], { cwd });
    expect(trained.code, trained.stderr).toBe(0);
    const { classNames, files } = JSON.parse(trained.stdout);
    expect(classNames).toEqual(classes);
    const tuned = `${name}-tuned`;
    expect(files).toContain(join(tuned, file));
    expect(existsSync(join(cwd, `${tuned}.run/report.html`))).toBe(true);
    for (const own of files.filter((path: string) => !path.endsWith('.onnx')))
      expect(readFileSync(join(cwd, own))).toEqual(readFileSync(join(cwd, name, own.slice(tuned.length + 1))));
    expect(files).toContain(`${tuned}/config.json`);
    expect(await meanLoss(cwd, tuned, data)).toBeLessThan(await meanLoss(cwd, name, data));
    const inspected = await lossgraft(['inspect', tuned, '--json'], { cwd });
    expect(inspected.code === 0 ? JSON.parse(inspected.stdout).classNames.names : inspected.stderr).toEqual(classes);

    const again = await lossgraft(['train', name, '--data', data, ...HOW], { cwd });
    expect(again.stderr).toContain(`[${tuned}/${file}]`);
    expect(again.code).toBe(2);
  },
);

it.each([
  ['vit', 'images'],
  ['bert', 'reviews.csv'],
])('evaluate %s --data %s: the accuracy that transformers has', async (name, data) => {
  const judged = await lossgraft(['evaluate', name, '--data', data, '--json'], { cwd: FOLDERS });
  expect(judged.code, judged.stderr).toBe(0);
  expect(judged.stdout).toContain(
    `"accuracy": ${JSON.parse(readFileSync(join(FOLDERS, 'expected.json'), 'utf8'))[name].accuracy}`,
  );
});

it('an output of its own: a file, with the config files in its folder, unless others are there', async () => {
  const cwd = workplace();
  const args = [
    'train',
    'vit',
    '--data',
    'images',
    '--epochs',
    '1',
    '--loss',
    'ce',
    '--learning-rate',
    '1e-4',
    '--no-report',
  ];
  writeFileSync(join(cwd, 'config.json'), '{}');
  const refused = await lossgraft([...args, '-o', 'new.onnx'], { cwd });
  expect(refused.stderr).toContain("[config.json] expected a folder where the model's config.json can be copied to");
  expect(existsSync(join(cwd, 'new.run'))).toBe(false);
  const missing = await lossgraft([...args, '-o', 'none/new.onnx'], { cwd });
  expect(missing.stderr).toContain('expected a folder to write into');
  expect(readFileSync(join(cwd, 'config.json'), 'utf8')).toBe('{}');
});

it('a file net.onnx becomes net-tuned.onnx beside it', async () => {
  const cwd = workplace();
  const args = [
    '--data',
    'images',
    '--epochs',
    '2',
    '--loss',
    'ce',
    '--learning-rate',
    '0.01',
    '--no-report',
    '--write-anyway',
    '--json',
  ];
  const trained = await lossgraft(['train', 'vit/model.onnx', ...args], { cwd });
  expect(trained.code, trained.stderr).toBe(0);
  expect(JSON.parse(trained.stdout).files).toEqual(['vit/model-tuned.onnx']);
});
