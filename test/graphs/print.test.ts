import { expect, it } from 'vitest';
import { losses } from '../../graphs/index.ts';
import { printGraph } from '../../src/ir/print.ts';
import { type LossModelSpec, lossModel } from '../support/lossModel.ts';

/** The nodes of a loss, one a line, with short names. */
function printed(name: string, spec: Omit<LossModelSpec, 'loss'> = {}): string {
  const loss = losses[name];
  if (loss === undefined) throw new Error(name);
  return printGraph(lossModel({ loss, ...spec }).graph)
    .replaceAll('lossgraft/', '')
    .replaceAll(/const_(\d+)/g, 'c$1');
}

it('ce, fused', () => {
  expect(printed('ce', { classes: 10 })).toMatchInlineSnapshot(`
    "input logits: float32[N, 10]
    input labels: int64[N]
    const c1: int64[] = 0
    const c3: int64[] = 2147483647
    const c5: int64[1] = 1
    const c9: float32[] = -3.3999999521443642e+38
    const c39: float32[] = 0
    const c42: float32[] = 1
    Less_2 = Less(labels, c1)
    Where_4 = Where(Less_2, c3, labels)
    Unsqueeze_6 = Unsqueeze(Where_4, c5)
    GatherElements_7 = GatherElements(logits, Unsqueeze_6) {axis=1}
    Squeeze_8 = Squeeze(GatherElements_7, c5)
    Shape_10 = Shape(Unsqueeze_6)
    Expand_11 = Expand(c9, Shape_10)
    ScatterElements_12 = ScatterElements(logits, Unsqueeze_6, Expand_11) {axis=1}
    ReduceMax_13 = ReduceMax(ScatterElements_12) {axes=[1], keepdims=1}
    stop_gradient_14 = Identity(ReduceMax_13)
    Sub_15 = Sub(ScatterElements_12, stop_gradient_14)
    Exp_16 = Exp(Sub_15)
    ReduceSum_17 = ReduceSum(Exp_16, c5) {keepdims=0}
    Squeeze_18 = Squeeze(stop_gradient_14, c5)
    Sub_19 = Sub(Squeeze_18, Squeeze_8)
    Sub_20 = Sub(Sub_19, Squeeze_18)
    Sub_21 = Sub(Sub_19, Sub_20)
    Sub_22 = Sub(Squeeze_18, Sub_21)
    Add_23 = Add(Squeeze_8, Sub_20)
    Sub_24 = Sub(Sub_22, Add_23)
    stop_gradient_25 = Identity(Sub_24)
    Relu_26 = Relu(Sub_19)
    stop_gradient_27 = Identity(Relu_26)
    Sub_28 = Sub(Sub_19, stop_gradient_27)
    Exp_29 = Exp(Sub_28)
    Mul_30 = Mul(ReduceSum_17, Exp_29)
    Mul_31 = Mul(Mul_30, stop_gradient_25)
    Add_32 = Add(Mul_30, Mul_31)
    Neg_33 = Neg(stop_gradient_27)
    Exp_34 = Exp(Neg_33)
    stop_gradient_35 = Identity(Exp_34)
    Add_36 = Add(Add_32, stop_gradient_35)
    Log_37 = Log(Add_36)
    Sub_38 = Sub(Add_36, stop_gradient_35)
    Greater_40 = Greater(Sub_38, c39)
    Mul_41 = Mul(Log_37, Add_32)
    Where_43 = Where(Greater_40, Sub_38, c42)
    Div_44 = Div(Mul_41, Where_43)
    Where_45 = Where(Greater_40, Div_44, Add_32)
    Add_46 = Add(stop_gradient_27, Where_45)
    stop_gradient_47 = Identity(Add_46)
    stop_gradient_48 = Identity(Log_37)
    Sub_49 = Sub(Log_37, stop_gradient_48)
    Add_50 = Add(stop_gradient_47, Sub_49)
    ReduceMean_51 = ReduceMean(Add_50) {keepdims=0}
    loss = Identity(ReduceMean_51)
    loss_per_sample = Identity(Add_50)
    output loss: float32[]
    output loss_per_sample: float32[N]
    "
  `);
});

it('ce, literal, with class weights', () => {
  expect(printed('ce', { classes: 2, weights: [0.5, 1.5], options: { form: 'literal' } })).toMatchInlineSnapshot(`
    "input logits: float32[N, 2]
    input labels: int64[N]
    const c1: float32[2] = 0.5, 1.5
    const c2: int64[] = 0
    const c4: int64[] = 2147483647
    const c7: int64[1] = 1
    Less_3 = Less(labels, c2)
    Where_5 = Where(Less_3, c4, labels)
    LogSoftmax_6 = LogSoftmax(logits) {axis=1}
    Unsqueeze_8 = Unsqueeze(Where_5, c7)
    GatherElements_9 = GatherElements(LogSoftmax_6, Unsqueeze_8) {axis=1}
    Squeeze_10 = Squeeze(GatherElements_9, c7)
    Neg_11 = Neg(Squeeze_10)
    Gather_12 = Gather(c1, labels) {axis=0}
    Mul_13 = Mul(Neg_11, Gather_12)
    ReduceMean_14 = ReduceMean(Mul_13) {keepdims=0}
    loss = Identity(ReduceMean_14)
    loss_per_sample = Identity(Mul_13)
    output loss: float32[]
    output loss_per_sample: float32[N]
    "
  `);
});

it('ib, literal, at opset 11 and with a detached factor', () => {
  expect(printed('ib', { opset: 11, options: { form: 'literal', detachFactor: true } })).toMatchInlineSnapshot(`
    "input logits: float32[N, C]
    input labels: int64[N]
    input norm: float32[N]
    const c1: int64[] = 0
    const c3: int64[] = 2147483647
    const c12: int64[1] = 1
    const c14: float32[2] = 0, 1
    const c19: float32[] = 0.0010000000474974513
    const c21: float32[] = 1000
    Less_2 = Less(labels, c1)
    Where_4 = Where(Less_2, c3, labels)
    LogSoftmax_5 = LogSoftmax(logits) {axis=1}
    Unsqueeze_6 = Unsqueeze(Where_4) {axes=[1]}
    GatherElements_7 = GatherElements(LogSoftmax_5, Unsqueeze_6) {axis=1}
    Squeeze_8 = Squeeze(GatherElements_7) {axes=[1]}
    Neg_9 = Neg(Squeeze_8)
    Softmax_10 = Softmax(logits) {axis=1}
    Shape_11 = Shape(logits)
    Gather_13 = Gather(Shape_11, c12) {axis=0}
    OneHot_15 = OneHot(Where_4, Gather_13, c14) {axis=-1}
    Sub_16 = Sub(Softmax_10, OneHot_15)
    ReduceL1_17 = ReduceL1(Sub_16) {axes=[1], keepdims=0}
    Mul_18 = Mul(ReduceL1_17, norm)
    Add_20 = Add(Mul_18, c19)
    Div_22 = Div(c21, Add_20)
    stop_gradient_23 = Identity(Div_22)
    Mul_24 = Mul(Neg_9, stop_gradient_23)
    ReduceMean_25 = ReduceMean(Mul_24) {keepdims=0}
    loss = Identity(ReduceMean_25)
    loss_per_sample = Identity(Mul_24)
    ib_factor = Identity(stop_gradient_23)
    output loss: float32[]
    output loss_per_sample: float32[N]
    output ib_factor: float32[N]
    "
  `);
});

it('focal, literal: γ = 0 leaves no power, γ = 1 none, γ = 0.5 a guarded one, γ = 2 a plain one', () => {
  const nodes = (gamma: number): string =>
    printed('focal', { options: { form: 'literal', gamma } })
      .split('\n')
      .filter((line) => /= (Pow|Where|Greater|Exp|Mul)\(/.test(line))
      .join('\n');
  expect(nodes(0)).toMatchInlineSnapshot(`
    "Where_4 = Where(Less_2, c3, labels)
    Mul_12 = Mul(Neg_10, c11)"
  `);
  expect(nodes(1)).toMatchInlineSnapshot(`
    "Where_4 = Where(Less_2, c3, labels)
    Exp_12 = Exp(Neg_11)
    Mul_15 = Mul(Sub_14, Neg_10)
    Mul_17 = Mul(Mul_15, c16)"
  `);
  expect(nodes(0.5)).toMatchInlineSnapshot(`
    "Where_4 = Where(Less_2, c3, labels)
    Exp_12 = Exp(Neg_11)
    Greater_16 = Greater(Sub_14, c15)
    Where_17 = Where(Greater_16, Sub_14, c13)
    Pow_19 = Pow(Where_17, c18)
    Where_20 = Where(Greater_16, Pow_19, c15)
    Mul_21 = Mul(Where_20, Neg_10)
    Mul_23 = Mul(Mul_21, c22)"
  `);
  expect(nodes(2)).toMatchInlineSnapshot(`
    "Where_4 = Where(Less_2, c3, labels)
    Exp_12 = Exp(Neg_11)
    Pow_16 = Pow(Sub_14, c15)
    Mul_17 = Mul(Pow_16, Neg_10)
    Mul_19 = Mul(Mul_17, c18)"
  `);
});

it('ib-focal, fused', () => {
  expect(printed('ib-focal', { opset: 18, options: { gamma: 2 } })).toMatchInlineSnapshot(`
    "input logits: float32[N, C]
    input labels: int64[N]
    input norm: float32[N]
    const c1: int64[] = 0
    const c3: int64[] = 2147483647
    const c5: int64[1] = 1
    const c9: float32[] = -3.3999999521443642e+38
    const c39: float32[] = 0
    const c42: float32[] = 1
    const c51: float32[] = 64
    const c57: float32[] = 0.5
    const c71: float32[] = 2
    const c83: float32[] = 0.0010000000474974513
    const c85: float32[] = 1000
    Less_2 = Less(labels, c1)
    Where_4 = Where(Less_2, c3, labels)
    Unsqueeze_6 = Unsqueeze(Where_4, c5)
    GatherElements_7 = GatherElements(logits, Unsqueeze_6) {axis=1}
    Squeeze_8 = Squeeze(GatherElements_7, c5)
    Shape_10 = Shape(Unsqueeze_6)
    Expand_11 = Expand(c9, Shape_10)
    ScatterElements_12 = ScatterElements(logits, Unsqueeze_6, Expand_11) {axis=1}
    ReduceMax_13 = ReduceMax(ScatterElements_12, c5) {keepdims=1}
    stop_gradient_14 = Identity(ReduceMax_13)
    Sub_15 = Sub(ScatterElements_12, stop_gradient_14)
    Exp_16 = Exp(Sub_15)
    ReduceSum_17 = ReduceSum(Exp_16, c5) {keepdims=0}
    Squeeze_18 = Squeeze(stop_gradient_14, c5)
    Sub_19 = Sub(Squeeze_18, Squeeze_8)
    Sub_20 = Sub(Sub_19, Squeeze_18)
    Sub_21 = Sub(Sub_19, Sub_20)
    Sub_22 = Sub(Squeeze_18, Sub_21)
    Add_23 = Add(Squeeze_8, Sub_20)
    Sub_24 = Sub(Sub_22, Add_23)
    stop_gradient_25 = Identity(Sub_24)
    Relu_26 = Relu(Sub_19)
    stop_gradient_27 = Identity(Relu_26)
    Sub_28 = Sub(Sub_19, stop_gradient_27)
    Exp_29 = Exp(Sub_28)
    Mul_30 = Mul(ReduceSum_17, Exp_29)
    Mul_31 = Mul(Mul_30, stop_gradient_25)
    Add_32 = Add(Mul_30, Mul_31)
    Neg_33 = Neg(stop_gradient_27)
    Exp_34 = Exp(Neg_33)
    stop_gradient_35 = Identity(Exp_34)
    Add_36 = Add(Add_32, stop_gradient_35)
    Log_37 = Log(Add_36)
    Sub_38 = Sub(Add_36, stop_gradient_35)
    Greater_40 = Greater(Sub_38, c39)
    Mul_41 = Mul(Log_37, Add_32)
    Where_43 = Where(Greater_40, Sub_38, c42)
    Div_44 = Div(Mul_41, Where_43)
    Where_45 = Where(Greater_40, Div_44, Add_32)
    Add_46 = Add(stop_gradient_27, Where_45)
    stop_gradient_47 = Identity(Add_46)
    stop_gradient_48 = Identity(Log_37)
    Sub_49 = Sub(Log_37, stop_gradient_48)
    Add_50 = Add(stop_gradient_47, Sub_49)
    Min_52 = Min(Add_50, c51)
    Neg_53 = Neg(Min_52)
    Exp_54 = Exp(Neg_53)
    Sub_55 = Sub(c42, Exp_54)
    Greater_56 = Greater(Sub_55, c39)
    Where_58 = Where(Greater_56, Exp_54, c57)
    Log_59 = Log(Where_58)
    Mul_60 = Mul(Sub_55, Min_52)
    Div_61 = Div(Mul_60, Log_59)
    Neg_62 = Neg(Div_61)
    Where_63 = Where(Greater_56, Neg_62, Add_50)
    Neg_64 = Neg(Add_50)
    Exp_65 = Exp(Neg_64)
    Neg_66 = Neg(Exp_65)
    stop_gradient_67 = Identity(Where_63)
    stop_gradient_68 = Identity(Neg_66)
    Sub_69 = Sub(Neg_66, stop_gradient_68)
    Add_70 = Add(stop_gradient_67, Sub_69)
    Pow_72 = Pow(Add_70, c71)
    Mul_73 = Mul(Pow_72, Add_50)
    Div_74 = Div(Add_32, Add_36)
    Div_75 = Div(stop_gradient_35, Add_36)
    Neg_76 = Neg(Div_75)
    stop_gradient_77 = Identity(Div_74)
    stop_gradient_78 = Identity(Neg_76)
    Sub_79 = Sub(Neg_76, stop_gradient_78)
    Add_80 = Add(stop_gradient_77, Sub_79)
    Mul_81 = Mul(Add_80, c71)
    Mul_82 = Mul(Mul_81, norm)
    Add_84 = Add(Mul_82, c83)
    Div_86 = Div(c85, Add_84)
    Mul_87 = Mul(Mul_73, Div_86)
    ReduceMean_88 = ReduceMean(Mul_87) {keepdims=0}
    loss = Identity(ReduceMean_88)
    loss_per_sample = Identity(Mul_87)
    ib_factor = Identity(Div_86)
    output loss: float32[]
    output loss_per_sample: float32[N]
    output ib_factor: float32[N]
    "
  `);
});
