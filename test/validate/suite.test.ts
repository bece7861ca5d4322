import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { validate } from '../../src/index.ts';
import { needsTestdata, testdata } from '../onnx/python.ts';
import { ROOT } from '../support/cli.ts';

interface Suite {
  readonly cases: number;
  /** By name, with what Python's onnxruntime says. */
  readonly failed: Readonly<Record<string, string>>;
  readonly random: readonly string[];
  readonly notTensors: readonly string[];
}

const suite: Suite = JSON.parse(readFileSync(join(ROOT, 'fixtures/backend-suite/suite.json'), 'utf8'));
const models = testdata('model.onnx').filter((file) => basename(dirname(dirname(file))) === 'node');

describe("the node cases of ONNX's backend suite", needsTestdata(models), () => {
  it('pass where they pass in Python, but those with sequences or optionals, which are not supported', async () => {
    const [first = ''] = models;
    const { cases } = await validate([dirname(dirname(first))]);
    expect(cases).toHaveLength(suite.cases);
    const failed = cases.filter(({ verdict }) => verdict === 'fail');
    const named = failed.map((report) => basename(report.case)).filter((name) => !suite.random.includes(name));
    expect(named.sort()).toEqual([...Object.keys(suite.failed), ...suite.notTensors].sort());
    for (const { case: folder, error } of failed) {
      if (suite.notTensors.includes(basename(folder))) expect(error).toContain('This case is not supported');
    }
  });
});
