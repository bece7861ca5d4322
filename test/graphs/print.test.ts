import { expect, it } from 'vitest';
import { printGraph } from '../../src/ir/print.ts';
import { lossesByName } from '../support/catalogue.ts';
import { type LossModelSpec, lossModel } from '../support/lossModel.ts';

/** The nodes of a loss, one a line, with short names. */
function printed(name: string, spec: Omit<LossModelSpec, 'loss'> = {}): string {
  const loss = lossesByName[name];
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
    const c7: float32[] = -3.3999999521443642e+38
    const c27: float32[] = 1.0000000150474662e+30
    const c31: float32[] = 69.07755279541016
    const c34: float32[] = 1
    Less_2 = Less(labels, c1)
    Where_4 = Where(Less_2, c3, labels)
    Unsqueeze_6 = Unsqueeze(Where_4, c5)
    Shape_8 = Shape(Unsqueeze_6)
    Expand_9 = Expand(c7, Shape_8)
    ScatterElements_10 = ScatterElements(logits, Unsqueeze_6, Expand_9) {axis=1}
    ReduceMax_11 = ReduceMax(ScatterElements_10) {axes=[1], keepdims=1}
    GatherElements_12 = GatherElements(logits, Unsqueeze_6) {axis=1}
    Sub_13 = Sub(ReduceMax_11, GatherElements_12)
    Sub_14 = Sub(Sub_13, ReduceMax_11)
    Sub_15 = Sub(Sub_13, Sub_14)
    Sub_16 = Sub(ReduceMax_11, Sub_15)
    Add_17 = Add(GatherElements_12, Sub_14)
    Sub_18 = Sub(Sub_16, Add_17)
    Sub_19 = Sub(ScatterElements_10, ReduceMax_11)
    Exp_20 = Exp(Sub_19)
    Exp_21 = Exp(Sub_18)
    Mul_22 = Mul(Exp_20, Exp_21)
    ReduceSum_23 = ReduceSum(Mul_22, c5) {keepdims=0}
    Squeeze_24 = Squeeze(Sub_13, c5)
    Exp_25 = Exp(Squeeze_24)
    Mul_26 = Mul(ReduceSum_23, Exp_25)
    Min_28 = Min(Mul_26, c27)
    Log_29 = Log(ReduceSum_23)
    Add_30 = Add(Log_29, Squeeze_24)
    Sub_32 = Sub(Add_30, c31)
    Relu_33 = Relu(Sub_32)
    Add_35 = Add(Min_28, c34)
    Div_36 = Div(Min_28, Add_35)
    Log_37 = Log(Add_35)
    Sub_38 = Sub(Add_35, c34)
    Sub_39 = Sub(Min_28, Sub_38)
    Div_40 = Div(Sub_39, Add_35)
    Add_41 = Add(Log_37, Div_40)
    Add_42 = Add(Add_41, Relu_33)
    own_gradient_43 = Identity(Add_42)
    ReduceMean_44 = ReduceMean(own_gradient_43) {keepdims=0}
    loss = Identity(ReduceMean_44)
    loss_per_sample = Identity(own_gradient_43)
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
    const c11: float32[] = 0
    const c18: float32[] = 69
    const c21: int64[1] = -1
    const c23: int64[1] = 0
    const c29: float32[] = -3.3999999521443642e+38
    const c51: float32[] = 0.5
    const c56: float32[] = 1.0000000150474662e+30
    const c60: float32[] = 69.07755279541016
    const c63: float32[] = 1
    const c73: float32[] = 64
    const c92: float32[] = 2
    const c104: float32[] = 0.0010000000474974513
    const c106: float32[] = 1000
    Less_2 = Less(labels, c1)
    Where_4 = Where(Less_2, c3, labels)
    Unsqueeze_6 = Unsqueeze(Where_4, c5)
    GatherElements_7 = GatherElements(logits, Unsqueeze_6) {axis=1}
    Squeeze_8 = Squeeze(GatherElements_7, c5)
    Neg_9 = Neg(Squeeze_8)
    Exp_10 = Exp(logits)
    Shape_12 = Shape(Unsqueeze_6)
    Expand_13 = Expand(c11, Shape_12)
    ScatterElements_14 = ScatterElements(Exp_10, Unsqueeze_6, Expand_13) {axis=1}
    ReduceSum_15 = ReduceSum(ScatterElements_14, c5) {keepdims=0}
    Log_16 = Log(ReduceSum_15)
    Abs_17 = Abs(Log_16)
    Greater_19 = Greater(Abs_17, c18)
    NonZero_20 = NonZero(Greater_19)
    Reshape_22 = Reshape(NonZero_20, c21)
    Shape_24 = Shape(Neg_9)
    Slice_25 = Slice(c23, c23, Shape_24, c23)
    Concat_26 = Concat(Slice_25, Reshape_22) {axis=0}
    Gather_27 = Gather(logits, Concat_26) {axis=0}
    Gather_28 = Gather(Unsqueeze_6, Concat_26) {axis=0}
    Shape_30 = Shape(Gather_28)
    Expand_31 = Expand(c29, Shape_30)
    ScatterElements_32 = ScatterElements(Gather_27, Gather_28, Expand_31) {axis=1}
    ReduceMax_33 = ReduceMax(ScatterElements_32, c5) {keepdims=1}
    GatherElements_34 = GatherElements(Gather_27, Gather_28) {axis=1}
    Sub_35 = Sub(ReduceMax_33, GatherElements_34)
    Sub_36 = Sub(Sub_35, ReduceMax_33)
    Sub_37 = Sub(Sub_35, Sub_36)
    Sub_38 = Sub(ReduceMax_33, Sub_37)
    Add_39 = Add(GatherElements_34, Sub_36)
    Sub_40 = Sub(Sub_38, Add_39)
    Sub_41 = Sub(ScatterElements_32, ReduceMax_33)
    Exp_42 = Exp(Sub_41)
    Exp_43 = Exp(Sub_40)
    Mul_44 = Mul(Exp_42, Exp_43)
    ReduceSum_45 = ReduceSum(Mul_44, c5) {keepdims=0}
    Squeeze_46 = Squeeze(Sub_35, c5)
    Exp_47 = Exp(Squeeze_46)
    Mul_48 = Mul(ReduceSum_45, Exp_47)
    ScatterElements_49 = ScatterElements(ReduceSum_15, Concat_26, ReduceSum_45) {axis=0}
    ScatterElements_50 = ScatterElements(Neg_9, Concat_26, Squeeze_46) {axis=0}
    Mul_52 = Mul(ScatterElements_50, c51)
    Exp_53 = Exp(Mul_52)
    Mul_54 = Mul(ScatterElements_49, Exp_53)
    Mul_55 = Mul(Mul_54, Exp_53)
    Min_57 = Min(Mul_55, c56)
    Log_58 = Log(ScatterElements_49)
    Add_59 = Add(Log_58, ScatterElements_50)
    Sub_61 = Sub(Add_59, c60)
    Relu_62 = Relu(Sub_61)
    Add_64 = Add(Min_57, c63)
    Div_65 = Div(Min_57, Add_64)
    Log_66 = Log(Add_64)
    Sub_67 = Sub(Add_64, c63)
    Sub_68 = Sub(Min_57, Sub_67)
    Div_69 = Div(Sub_68, Add_64)
    Add_70 = Add(Log_66, Div_69)
    Add_71 = Add(Add_70, Relu_62)
    own_gradient_72 = Identity(Add_71)
    Min_74 = Min(own_gradient_72, c73)
    Neg_75 = Neg(Min_74)
    Exp_76 = Exp(Neg_75)
    Sub_77 = Sub(c63, Exp_76)
    Greater_78 = Greater(Sub_77, c11)
    Where_79 = Where(Greater_78, Exp_76, c51)
    Log_80 = Log(Where_79)
    Mul_81 = Mul(Sub_77, Min_74)
    Div_82 = Div(Mul_81, Log_80)
    Neg_83 = Neg(Div_82)
    Where_84 = Where(Greater_78, Neg_83, own_gradient_72)
    Neg_85 = Neg(own_gradient_72)
    Exp_86 = Exp(Neg_85)
    Neg_87 = Neg(Exp_86)
    stop_gradient_88 = Identity(Where_84)
    stop_gradient_89 = Identity(Neg_87)
    Sub_90 = Sub(Neg_87, stop_gradient_89)
    Add_91 = Add(stop_gradient_88, Sub_90)
    Pow_93 = Pow(Add_91, c92)
    Mul_94 = Mul(Pow_93, own_gradient_72)
    Neg_95 = Neg(own_gradient_72)
    Exp_96 = Exp(Neg_95)
    Neg_97 = Neg(Exp_96)
    stop_gradient_98 = Identity(Div_65)
    stop_gradient_99 = Identity(Neg_97)
    Sub_100 = Sub(Neg_97, stop_gradient_99)
    Add_101 = Add(stop_gradient_98, Sub_100)
    Mul_102 = Mul(Add_101, c92)
    Mul_103 = Mul(Mul_102, norm)
    Add_105 = Add(Mul_103, c104)
    Div_107 = Div(c106, Add_105)
    Mul_108 = Mul(Mul_94, Div_107)
    ReduceMean_109 = ReduceMean(Mul_108) {keepdims=0}
    loss = Identity(ReduceMean_109)
    loss_per_sample = Identity(Mul_108)
    ib_factor = Identity(Div_107)
    output loss: float32[]
    output loss_per_sample: float32[N]
    output ib_factor: float32[N]
    "
  `);
});
