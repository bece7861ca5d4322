import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CliResult, lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

/** A folder with a model and its data, in which commands are run. */
function workplace(): { folder: string; run(...args: string[]): Promise<CliResult> } {
  const folder = temporaryFolder();
  for (const name of ['model.onnx', 'more.npz', 'test.npz', 'train.npz'])
    copyFileSync(join(DIGITS, name), join(folder, name));
  return { folder, run: (...args) => lossgraft(['train', ...args], { cwd: folder }) };
}

const ASKED = [
  'model.onnx',
  '--data',
  'more.npz',
  '--validation',
  '0.5',
  '--loss',
  'ib',
  '--alpha',
  '500',
  '--padding',
  '1',
];
const SHORT = ['--epochs', '1', '--threads', '1', '--write-anyway'];

function recordIn(folder: string) {
  return JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
}

describe('run.json', () => {
  it('says every option with its source, and what the model and the data were', async () => {
    const { folder, run } = workplace();
    expect((await run(...ASKED, ...SHORT, '-o', 'tuned.onnx')).code).toBe(0);
    const { options, data, model, versions, command, notRepeatable } = recordIn(join(folder, 'tuned.run'));
    expect(options).toMatchObject({
      model: { value: 'model.onnx', from: 'command line' },
      data: { value: 'more.npz', from: 'command line' },
      validation: { value: 0.5, from: 'command line' },
      alpha: { value: 500, from: 'command line' },
      augmentation: { value: { padding: 1 }, from: 'command line' },
      learningRate: { value: 0.01, from: 'default', settled: true },
      epsilon: { value: 1e-3, from: 'default', settled: true },
      momentum: { value: 0.9, from: 'default', settled: true },
    });
    const bytes = readFileSync(join(folder, 'more.npz'));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(data).toEqual({ data: { path: 'more.npz', files: 1, bytes: bytes.length, sha256, of: 'contents' } });
    expect(model.sha256).toBe(
      createHash('sha256')
        .update(readFileSync(join(DIGITS, 'model.onnx')))
        .digest('hex'),
    );
    expect(versions.lossgraft).toMatch(/^\d/);
    expect(command).toBe(`lossgraft train ${[...ASKED, ...SHORT].join(' ')} -o tuned.onnx`);
    expect(notRepeatable).toEqual([]);
  });

  it('repeats a run from elsewhere, to the byte; flags go before it', async () => {
    const { folder, run } = workplace();
    await run(...ASKED, ...SHORT, '-o', 'tuned.onnx');
    const elsewhere = temporaryFolder();
    const config = ['--config', join(folder, 'tuned.run/run.json'), '-o', 'again.onnx'];
    const again = await lossgraft(['train', ...config], { cwd: elsewhere });
    expect(again.code).toBe(0);
    expect(again.stderr).not.toContain('not those of the run');
    expect(readFileSync(join(elsewhere, 'again.onnx'))).toEqual(readFileSync(join(folder, 'tuned.onnx')));
    const other = await lossgraft(['train', ...config, '--seed', '1', '--force'], { cwd: elsewhere });
    expect(other.code).toBe(0);
    expect(recordIn(join(elsewhere, 'again.run')).options).toMatchObject({
      seed: { value: 1, from: 'command line' },
      alpha: { value: 500, from: join(folder, 'tuned.run/run.json') },
    });
    expect(readFileSync(join(elsewhere, 'again.onnx'))).not.toEqual(readFileSync(join(folder, 'tuned.onnx')));
  });

  it('tells of other data, of another model and of another version', async () => {
    const { folder, run } = workplace();
    await run(...ASKED, ...SHORT, '-o', 'tuned.onnx');
    copyFileSync(join(folder, 'train.npz'), join(folder, 'more.npz'));
    const record = recordIn(join(folder, 'tuned.run'));
    const versions = { ...record.versions, lossgraft: '0.0.1' };
    const options = { ...record.options, batchSize: { value: 32, from: 'default', settled: true } };
    writeFileSync(join(folder, 'old.json'), JSON.stringify({ ...record, versions, options }));
    const { stderr } = await run('--config', 'old.json', '-o', 'again.onnx');
    expect(stderr).toMatch(
      /^note: The data more\.npz are not those of the run: 16639 bytes, SHA-256 \w+…; before 14462 bytes/m,
    );
    expect(stderr).toMatch(/^note: The run was made with lossgraft 0\.0\.1, this is /m);
    expect(stderr).toMatch(/^note: --batch-size was 32 in the run and is 64 now; --batch-size 32 repeats it$/m);
    expect(stderr).not.toContain('The model model.onnx');
  });

  it.each([
    ['{"model": "model.onnx", "data": "more.npz", "epoch": 5}', /\[c\.json, option epoch\].*did you mean epochs/],
    [
      '{"model": "model.onnx", "data": "more.npz", "epochs": "5"}',
      /\[c\.json, option epochs\] expected a whole number/,
    ],
    ['{"model": "model.onnx", "data": "gone.npz"}', /\[c\.json, option data\] expected gone\.npz in .*, found nothing/],
    ['{"model": "model.onnx"}', /--data is missing: lossgraft train MODEL --data DATA; or --config run\.json/],
    ['{"model": "model.onnx", "force": true}', /\[c\.json, option force\]/],
    ['[1]', /\[c\.json\] expected an object, found a list/],
    ['epochs: 5', /\[c\.json\] expected a file of JSON/],
  ])('a file of one’s own is checked: %s', async (text, message) => {
    const { folder, run } = workplace();
    writeFileSync(join(folder, 'c.json'), text);
    const { code, stderr } = await run('--config', 'c.json');
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it('a file of one’s own is taken, below the flags', async () => {
    const { folder, run } = workplace();
    const own = { model: 'model.onnx', data: 'more.npz', loss: 'ib', epochs: 7, writeAnyway: true };
    writeFileSync(join(folder, 'c.json'), JSON.stringify(own));
    expect((await run('--config', 'c.json', '--epochs', '1')).code).toBe(0);
    const { options } = recordIn(join(folder, 'model-tuned.run'));
    expect(options).toMatchObject({
      epochs: { value: 1, from: 'command line' },
      loss: { value: 'ib', from: 'c.json' },
    });
  });
});

describe('--resume RUN', () => {
  it('needs nothing else: the model, the data and all options are those of the run, from any folder', async () => {
    const { folder, run } = workplace();
    await run(...ASKED, ...SHORT, '-o', 'tuned.onnx');
    const { code, stdout, stderr } = await lossgraft(['train', '--resume', join(folder, 'tuned.run'), '--force']);
    expect(stderr).not.toMatch(/not those of the run|is not that of/);
    expect(code).toBe(0);
    expect(recordIn(join(folder, 'tuned.run')).resumed).toHaveLength(1);
    expect(stdout).toContain(`written ${relative(ROOT, join(folder, 'tuned.onnx'))}`);
  });

  it('finds data that moved with the run, and tells where they are missing', async () => {
    const { folder, run } = workplace();
    mkdirSync(join(folder, 'old'));
    for (const name of ['model.onnx', 'more.npz']) renameSync(join(folder, name), join(folder, 'old', name));
    await lossgraft(['train', ...ASKED, ...SHORT, '-o', 'tuned.onnx'], { cwd: join(folder, 'old') });
    renameSync(join(folder, 'old'), join(folder, 'new'));
    const moved = await run('--resume', 'new/tuned.run', '--force');
    expect(moved.stderr).toMatch(/^note: more\.npz is taken from .*new, since .*old has none$/m);
    expect(moved.code).toBe(0);
    renameSync(join(folder, 'new/more.npz'), join(folder, 'new/more2.npz'));
    const gone = await run('--resume', 'new/tuned.run', '--force');
    expect(gone.stderr).toMatch(
      /run\.json, option data\] expected new\/more\.npz in .* found nothing of that name\. Say where it is now: --data/,
    );
    const told = await run('--resume', 'new/tuned.run', '--force', '--data', 'new/more2.npz');
    expect(told.code).toBe(0);
  });

  it('says what is no run', async () => {
    const { run } = workplace();
    const { code, stderr } = await run('--resume', 'model.onnx', '--data', 'more.npz');
    expect(stderr).toMatch(/\[model\.onnx\] expected the folder of a run, with run\.json/);
    expect(code).toBe(2);
  });
});
