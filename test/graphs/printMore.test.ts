import { expect, it } from 'vitest';
import { printGraph } from '../../src/ir/print.ts';
import { lossesByName } from '../support/catalogue.ts';
import { lossModel } from '../support/lossModel.ts';

/** What a loss adds to the reference's cross-entropy: nodes and constants of the literal form, without those of plain `ce`. */
function added(name: string, options: Readonly<Record<string, unknown>> = {}, weights?: readonly number[]): string {
  const lines = (which: string, given: Readonly<Record<string, unknown>>): string[] => {
    const loss = lossesByName[which];
    if (loss === undefined) throw new Error(which);
    const spec = {
      loss,
      options: { ...given, form: 'literal' },
      counts: [16, 1],
      classes: 2,
      ...(weights ? { weights } : {}),
    };
    return printGraph(lossModel(spec).graph).replaceAll('lossgraft/', '').split('\n');
  };
  const plain = new Set(lines('ce', {}).map((line) => line.replaceAll(/\d+/g, '')));
  return lines(name, options)
    .filter((line) => !plain.has(line.replaceAll(/\d+/g, '')))
    .join('\n');
}

it('ldam: margins 0.25 and 0.5 at the label, then the scale', () => {
  expect(added('ldam')).toMatchInlineSnapshot(`
    "const const_3: int64[2] = 0, 1
    const const_5: float32[2] = 0.25, 0.5
    const const_8: float32[] = 30
    Unsqueeze_2 = Unsqueeze(labels, const_1)
    Equal_4 = Equal(Unsqueeze_2, const_3)
    Sub_6 = Sub(logits, const_5)
    Where_7 = Where(Equal_4, Sub_6, logits)
    Mul_9 = Mul(Where_7, const_8)
    LogSoftmax_14 = LogSoftmax(Mul_9) {axis=1}"
  `);
});

it('balanced-softmax and logit-adjustment: log 16/17 and log 1/17', () => {
  expect(added('balanced-softmax')).toMatchInlineSnapshot(`
    "const const_1: float32[2] = -0.0606246218085289, -2.8332133293151855
    Add_2 = Add(logits, const_1)
    LogSoftmax_7 = LogSoftmax(Add_2) {axis=1}"
  `);
  expect(added('logit-adjustment', { tau: 1 })).toBe(added('balanced-softmax'));
  expect(added('logit-adjustment', { tau: 2 })).toMatchInlineSnapshot(`
    "const const_1: float32[2] = -0.1212492436170578, -5.666426658630371
    Add_2 = Add(logits, const_1)
    LogSoftmax_7 = LogSoftmax(Add_2) {axis=1}"
  `);
});

it('vector-scaling: 1 and (1/16)^0.5', () => {
  expect(added('vector-scaling', { scalingGamma: 0.5 })).toMatchInlineSnapshot(`
    "const const_1: float32[2] = 1, 0.25
    const const_3: float32[2] = -0.0606246218085289, -2.8332133293151855
    Mul_2 = Mul(logits, const_1)
    Add_4 = Add(Mul_2, const_3)
    LogSoftmax_9 = LogSoftmax(Add_4) {axis=1}"
  `);
});

it('label-smoothing: the mean over all classes beside the label; nothing without smoothing', () => {
  expect(added('label-smoothing', { smoothing: 0.25 }, [0.5, 1.5])).toMatchInlineSnapshot(`
    "const const_18: float32[] = 0.75
    const const_20: float32[] = 0.25
    Neg_15 = Neg(LogSoftmax_14)
    Mul_16 = Mul(Neg_15, const_1)
    ReduceMean_17 = ReduceMean(Mul_16) {axes=[1], keepdims=0}
    Mul_19 = Mul(Mul_13, const_18)
    Mul_21 = Mul(ReduceMean_17, const_20)
    Add_22 = Add(Mul_19, Mul_21)
    ReduceMean_23 = ReduceMean(Add_22) {keepdims=0}
    loss_per_sample = Identity(Add_22)"
  `);
  expect(added('label-smoothing', { smoothing: 0 })).toBe('');
});

it('poly1: the class weight multiplies both terms', () => {
  expect(added('poly1', {}, [0.5, 1.5])).toMatchInlineSnapshot(`
    "const const_14: float32[] = 1
    const const_16: float32[] = 2
    Neg_12 = Neg(Neg_11)
    Exp_13 = Exp(Neg_12)
    Sub_15 = Sub(const_14, Exp_13)
    Mul_17 = Mul(Sub_15, const_16)
    Add_18 = Add(Neg_11, Mul_17)
    Mul_20 = Mul(Add_18, Gather_19)"
  `);
});
