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
    const c10: float32[] = 0
    const c17: float32[] = 69
    const c20: int64[1] = -1
    const c22: int64[1] = 0
    const c26: float32[] = -3.3999999521443642e+38
    const c48: float32[] = -0.5
    const c53: float32[] = 1.0000000150474662e+30
    const c57: float32[] = 69.07755279541016
    const c60: float32[] = 1
    Less_2 = Less(labels, c1)
    Where_4 = Where(Less_2, c3, labels)
    Unsqueeze_6 = Unsqueeze(Where_4, c5)
    GatherElements_7 = GatherElements(logits, Unsqueeze_6) {axis=1}
    Squeeze_8 = Squeeze(GatherElements_7, c5)
    Exp_9 = Exp(logits)
    Shape_11 = Shape(Unsqueeze_6)
    Expand_12 = Expand(c10, Shape_11)
    ScatterElements_13 = ScatterElements(Exp_9, Unsqueeze_6, Expand_12) {axis=1}
    ReduceSum_14 = ReduceSum(ScatterElements_13, c5) {keepdims=0}
    Log_15 = Log(ReduceSum_14)
    Abs_16 = Abs(Log_15)
    Greater_18 = Greater(Abs_16, c17)
    NonZero_19 = NonZero(Greater_18)
    Reshape_21 = Reshape(NonZero_19, c20)
    Concat_23 = Concat(c22, Reshape_21) {axis=0}
    Gather_24 = Gather(logits, Concat_23) {axis=0}
    Gather_25 = Gather(Unsqueeze_6, Concat_23) {axis=0}
    Shape_27 = Shape(Gather_25)
    Expand_28 = Expand(c26, Shape_27)
    ScatterElements_29 = ScatterElements(Gather_24, Gather_25, Expand_28) {axis=1}
    ReduceMax_30 = ReduceMax(ScatterElements_29) {axes=[1], keepdims=1}
    Sub_31 = Sub(ScatterElements_29, ReduceMax_30)
    Exp_32 = Exp(Sub_31)
    ReduceSum_33 = ReduceSum(Exp_32, c5) {keepdims=0}
    GatherElements_34 = GatherElements(Gather_24, Gather_25) {axis=1}
    Squeeze_35 = Squeeze(GatherElements_34, c5)
    Squeeze_36 = Squeeze(ReduceMax_30, c5)
    Sub_37 = Sub(Squeeze_35, Squeeze_36)
    Sub_38 = Sub(Sub_37, Squeeze_35)
    Sub_39 = Sub(Sub_37, Sub_38)
    Sub_40 = Sub(Squeeze_35, Sub_39)
    Add_41 = Add(Squeeze_36, Sub_38)
    Sub_42 = Sub(Sub_40, Add_41)
    Neg_43 = Neg(Sub_42)
    Exp_44 = Exp(Neg_43)
    Mul_45 = Mul(ReduceSum_33, Exp_44)
    ScatterElements_46 = ScatterElements(ReduceSum_14, Concat_23, Mul_45) {axis=0}
    ScatterElements_47 = ScatterElements(Squeeze_8, Concat_23, Sub_37) {axis=0}
    Mul_49 = Mul(ScatterElements_47, c48)
    Exp_50 = Exp(Mul_49)
    Mul_51 = Mul(ScatterElements_46, Exp_50)
    Mul_52 = Mul(Mul_51, Exp_50)
    Min_54 = Min(Mul_52, c53)
    Log_55 = Log(ScatterElements_46)
    Sub_56 = Sub(Log_55, ScatterElements_47)
    Sub_58 = Sub(Sub_56, c57)
    Relu_59 = Relu(Sub_58)
    Add_61 = Add(Min_54, c60)
    Div_62 = Div(Min_54, Add_61)
    Log_63 = Log(Add_61)
    Sub_64 = Sub(Add_61, c60)
    Sub_65 = Sub(Min_54, Sub_64)
    Div_66 = Div(Sub_65, Add_61)
    Add_67 = Add(Log_63, Div_66)
    Add_68 = Add(Add_67, Relu_59)
    own_gradient_69 = Identity(Add_68)
    ReduceMean_70 = ReduceMean(own_gradient_69) {keepdims=0}
    loss = Identity(ReduceMean_70)
    loss_per_sample = Identity(own_gradient_69)
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
    const c10: float32[] = 0
    const c17: float32[] = 69
    const c20: int64[1] = -1
    const c22: int64[1] = 0
    const c26: float32[] = -3.3999999521443642e+38
    const c48: float32[] = -0.5
    const c53: float32[] = 1.0000000150474662e+30
    const c57: float32[] = 69.07755279541016
    const c60: float32[] = 1
    const c70: float32[] = 64
    const c76: float32[] = 0.5
    const c90: float32[] = 2
    const c102: float32[] = 0.0010000000474974513
    const c104: float32[] = 1000
    Less_2 = Less(labels, c1)
    Where_4 = Where(Less_2, c3, labels)
    Unsqueeze_6 = Unsqueeze(Where_4, c5)
    GatherElements_7 = GatherElements(logits, Unsqueeze_6) {axis=1}
    Squeeze_8 = Squeeze(GatherElements_7, c5)
    Exp_9 = Exp(logits)
    Shape_11 = Shape(Unsqueeze_6)
    Expand_12 = Expand(c10, Shape_11)
    ScatterElements_13 = ScatterElements(Exp_9, Unsqueeze_6, Expand_12) {axis=1}
    ReduceSum_14 = ReduceSum(ScatterElements_13, c5) {keepdims=0}
    Log_15 = Log(ReduceSum_14)
    Abs_16 = Abs(Log_15)
    Greater_18 = Greater(Abs_16, c17)
    NonZero_19 = NonZero(Greater_18)
    Reshape_21 = Reshape(NonZero_19, c20)
    Concat_23 = Concat(c22, Reshape_21) {axis=0}
    Gather_24 = Gather(logits, Concat_23) {axis=0}
    Gather_25 = Gather(Unsqueeze_6, Concat_23) {axis=0}
    Shape_27 = Shape(Gather_25)
    Expand_28 = Expand(c26, Shape_27)
    ScatterElements_29 = ScatterElements(Gather_24, Gather_25, Expand_28) {axis=1}
    ReduceMax_30 = ReduceMax(ScatterElements_29, c5) {keepdims=1}
    Sub_31 = Sub(ScatterElements_29, ReduceMax_30)
    Exp_32 = Exp(Sub_31)
    ReduceSum_33 = ReduceSum(Exp_32, c5) {keepdims=0}
    GatherElements_34 = GatherElements(Gather_24, Gather_25) {axis=1}
    Squeeze_35 = Squeeze(GatherElements_34, c5)
    Squeeze_36 = Squeeze(ReduceMax_30, c5)
    Sub_37 = Sub(Squeeze_35, Squeeze_36)
    Sub_38 = Sub(Sub_37, Squeeze_35)
    Sub_39 = Sub(Sub_37, Sub_38)
    Sub_40 = Sub(Squeeze_35, Sub_39)
    Add_41 = Add(Squeeze_36, Sub_38)
    Sub_42 = Sub(Sub_40, Add_41)
    Neg_43 = Neg(Sub_42)
    Exp_44 = Exp(Neg_43)
    Mul_45 = Mul(ReduceSum_33, Exp_44)
    ScatterElements_46 = ScatterElements(ReduceSum_14, Concat_23, Mul_45) {axis=0}
    ScatterElements_47 = ScatterElements(Squeeze_8, Concat_23, Sub_37) {axis=0}
    Mul_49 = Mul(ScatterElements_47, c48)
    Exp_50 = Exp(Mul_49)
    Mul_51 = Mul(ScatterElements_46, Exp_50)
    Mul_52 = Mul(Mul_51, Exp_50)
    Min_54 = Min(Mul_52, c53)
    Log_55 = Log(ScatterElements_46)
    Sub_56 = Sub(Log_55, ScatterElements_47)
    Sub_58 = Sub(Sub_56, c57)
    Relu_59 = Relu(Sub_58)
    Add_61 = Add(Min_54, c60)
    Div_62 = Div(Min_54, Add_61)
    Log_63 = Log(Add_61)
    Sub_64 = Sub(Add_61, c60)
    Sub_65 = Sub(Min_54, Sub_64)
    Div_66 = Div(Sub_65, Add_61)
    Add_67 = Add(Log_63, Div_66)
    Add_68 = Add(Add_67, Relu_59)
    own_gradient_69 = Identity(Add_68)
    Min_71 = Min(own_gradient_69, c70)
    Neg_72 = Neg(Min_71)
    Exp_73 = Exp(Neg_72)
    Sub_74 = Sub(c60, Exp_73)
    Greater_75 = Greater(Sub_74, c10)
    Where_77 = Where(Greater_75, Exp_73, c76)
    Log_78 = Log(Where_77)
    Mul_79 = Mul(Sub_74, Min_71)
    Div_80 = Div(Mul_79, Log_78)
    Neg_81 = Neg(Div_80)
    Where_82 = Where(Greater_75, Neg_81, own_gradient_69)
    Neg_83 = Neg(own_gradient_69)
    Exp_84 = Exp(Neg_83)
    Neg_85 = Neg(Exp_84)
    stop_gradient_86 = Identity(Where_82)
    stop_gradient_87 = Identity(Neg_85)
    Sub_88 = Sub(Neg_85, stop_gradient_87)
    Add_89 = Add(stop_gradient_86, Sub_88)
    Pow_91 = Pow(Add_89, c90)
    Mul_92 = Mul(Pow_91, own_gradient_69)
    Neg_93 = Neg(own_gradient_69)
    Exp_94 = Exp(Neg_93)
    Neg_95 = Neg(Exp_94)
    stop_gradient_96 = Identity(Div_62)
    stop_gradient_97 = Identity(Neg_95)
    Sub_98 = Sub(Neg_95, stop_gradient_97)
    Add_99 = Add(stop_gradient_96, Sub_98)
    Mul_100 = Mul(Add_99, c90)
    Mul_101 = Mul(Mul_100, norm)
    Add_103 = Add(Mul_101, c102)
    Div_105 = Div(c104, Add_103)
    Mul_106 = Mul(Mul_92, Div_105)
    ReduceMean_107 = ReduceMean(Mul_106) {keepdims=0}
    loss = Identity(ReduceMean_107)
    loss_per_sample = Identity(Mul_106)
    ib_factor = Identity(Div_105)
    output loss: float32[]
    output loss_per_sample: float32[N]
    output ib_factor: float32[N]
    "
  `);
});
