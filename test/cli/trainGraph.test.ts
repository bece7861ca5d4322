import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';
import { readOnnx } from '../support/onnxFile.ts';
import { parseSafetensors } from '../support/safetensors.ts';

const MODEL = join(ROOT, 'fixtures/digits/model.onnx');
const COUNTS = ['--class-counts', join(ROOT, 'fixtures/digits/counts.json')];

function manifestOf(path: string): Record<string, unknown> {
  return JSON.parse(readOnnx(readFileSync(path)).metadata.lossgraft ?? '{}');
}

describe('train-graph', () => {
  it('writes the last layer’s step by default, and says what it wrote', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'step.onnx');
    const { code, stdout, stderr } = await lossgraft(['train-graph', MODEL, '-o', out, '--loss', 'ib', ...COUNTS]);
    expect([code, stderr]).toEqual([0, '']);
    const bytes = statSync(out).size.toLocaleString('en');
    expect(stdout).toContain(`written        ${out}, ${bytes} bytes`);
    expect(stdout).toMatch(/^written +\S+step\.safetensors, [\d,]+ bytes$/m);
    expect(stdout).toMatch(/^optimizer +sgd, momentum 0.9, dampening 0, nesterov false, weight-decay 0$/m);
    expect(stdout).toMatch(/^trainable +2 tensors, 650 elements$/m);
    expect(stdout).toMatch(/^state +2 slots, 0 running statistics$/m);
    expect(readdirSync(folder).sort()).toEqual(['step.onnx', 'step.safetensors']);
    expect(manifestOf(out)).toMatchObject({ form: 'step', trainable: ['fc2.weight', 'fc2.bias'] });
  });

  it('takes every option, says the same in JSON, and replaces with --force', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'loop.onnx');
    writeFileSync(out, 'old');
    const options =
      '--loss ce --optimizer adamw --weight-decay 0.05 --trainable conv2.*,fc* --steps-per-run 20 --clip-norm 1 --accumulate 2 ' +
      '--no-decay-for-vectors --rate-factors conv2.*=0.1 --rename labels=y,learning_rate=rate --force --json';
    const { code, stdout, stderr } = await lossgraft(['train-graph', MODEL, '-o', out, ...options.split(' ')]);
    expect([code, stderr]).toEqual([0, '']);
    const { files, trainable, states, notes, unreached, optimizer } = JSON.parse(stdout);
    expect({ files, optimizer, notes, unreached }).toEqual({
      files: [out, join(folder, 'loop.safetensors')],
      optimizer: 'adamw',
      notes: [],
      unreached: [],
    });
    expect(trainable).toHaveLength(6);
    expect(manifestOf(out)).toMatchObject({ form: 'loop', stepsPerRun: 20, trainable, states });
    const { inputs } = readOnnx(readFileSync(out));
    expect(inputs).toMatchObject({
      images: 'float32 [steps, N, 1, 8, 8]',
      y: 'int64 [steps, N]',
      rate: 'float32 [steps]',
    });
    const { tensors } = parseSafetensors(readFileSync(join(folder, 'loop.safetensors')));
    const names = states.map(({ name }: { name: string }) => name);
    expect([...tensors.keys()]).toEqual(names);
    expect(names).toContain('conv2.bias.accumulated');
  });

  it('writes gradients and update apart with --split, into a folder that is new or not', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'out');
    const args = ['train-graph', MODEL, '-o', out, '--loss', 'ce', '--trainable', 'all', '--split'];
    expect((await lossgraft(args)).code).toBe(0);
    expect(readdirSync(out).sort()).toEqual(['apply.onnx', 'gradients.onnx', 'state.safetensors']);
    const again = await lossgraft(args);
    expect(again).toMatchObject({ code: 2, stdout: '' });
    expect(again.stderr).toMatch(/gradients\.onnx\] expected .*found a file.*--force/);
    expect((await lossgraft([...args, '--force'])).code).toBe(0);
  });

  it('says on stderr what was done to the model', async () => {
    const old = join(ROOT, 'fixtures/hosts/gemm-opset11.onnx');
    const { code, stderr } = await lossgraft([
      'train-graph',
      old,
      '-o',
      join(temporaryFolder(), 'step.onnx'),
      '--loss',
      'ce',
    ]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^note: Raised the opset from 11 to 17/m);
  });

  it('has help with examples', async () => {
    const { code, stdout } = await lossgraft(['train-graph', '--help-all']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +lossgraft train-graph net\.onnx -o step\.onnx --loss ib/m);
    expect(stdout).toMatch(/--steps-per-run +Take several steps in one run/);
    const short = await lossgraft(['train-graph', '--help']);
    expect(short.stdout).toMatch(/lossgraft train-graph --help-all shows all options/);
    expect(short.stdout).toMatch(/--class-counts/);
    expect(short.stdout).not.toMatch(/--steps-per-run +Several|--momentum/);
  });
});

describe('train-graph refuses', () => {
  it.each<[string, string, RegExp]>([
    [
      '--split together with --steps-per-run',
      '--split --steps-per-run 4',
      /either --steps-per-run or --split, found both/,
    ],
    ['steps that are none', '--steps-per-run 0', /option steps-per-run\] expected a whole number above 0, found 0/],
    ['a seed without dropout', '--seed 3', /option seed\] expected to be left out without --dropout train/],
    ['factors that are none', '--rate-factors fc2.*', /--rate-factors expects PATTERN=FACTOR.*found "fc2\.\*"/],
    ['a factor below 0', '--rate-factors fc2.*=-1', /option rate-factors\] expected .*found -1 for "fc2\.\*"/],
    ['a pattern that matches nothing', '--trainable layer4.*', /option trainable\].*which matches none of 8/],
    ['accumulation over none', '--accumulate 0', /option accumulate\] expected .*found 0/],
    [
      'an option of another optimizer',
      '--optimizer adam --momentum 0.5',
      /\[loss ce, optimizer adam, option momentum\] expected one of its options: .*beta1/,
    ],
    ['an unknown optimizer', '--optimizer adagrad', /Choices: "sgd", "adam", "adamw"/],
    ['a folder that is not there', '-o none/step.onnx', /none\/step\.onnx\] expected a folder to write into/],
  ])('%s', async (_what, options, message) => {
    const folder = temporaryFolder();
    const output = options.includes('-o ') ? [] : ['-o', 'step.onnx'];
    const args = ['train-graph', MODEL, '--loss', 'ce', ...output, ...options.split(' ')];
    const { code, stdout, stderr } = await lossgraft(args, { cwd: folder });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at |defect/m);
    expect([code, stdout]).toEqual([2, '']);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('to replace a file, or the model itself', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'step.safetensors'), 'mine');
    const base = ['train-graph', MODEL, '--loss', 'ce'];
    const taken = await lossgraft([...base, '-o', 'step.onnx'], { cwd: folder });
    expect([taken.code, taken.stdout]).toEqual([2, '']);
    expect(taken.stderr).toMatch(/step\.safetensors\] expected .*--force/);
    const same = await lossgraft([...base, '-o', MODEL, '--force']);
    expect([same.code, same.stdout]).toEqual([2, '']);
    expect(same.stderr).toMatch(/expected an output apart from the inputs/);
    expect(readdirSync(folder)).toEqual(['step.safetensors']);
  });
});
