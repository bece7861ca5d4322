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
    const c7: float32[] = -3.3999999521443642e+38
    const c26: float32[] = -0.5
    const c31: float32[] = 1.0000000150474662e+30
    const c35: float32[] = 69.07755279541016
    const c38: float32[] = 1
    Less_2 = Less(labels, c1)
    Where_4 = Where(Less_2, c3, labels)
    Unsqueeze_6 = Unsqueeze(Where_4, c5)
    Shape_8 = Shape(Unsqueeze_6)
    Expand_9 = Expand(c7, Shape_8)
    ScatterElements_10 = ScatterElements(logits, Unsqueeze_6, Expand_9) {axis=1}
    ReduceMax_11 = ReduceMax(ScatterElements_10) {axes=[1], keepdims=1}
    GatherElements_12 = GatherElements(logits, Unsqueeze_6) {axis=1}
    Sub_13 = Sub(GatherElements_12, ReduceMax_11)
    Sub_14 = Sub(Sub_13, GatherElements_12)
    Sub_15 = Sub(Sub_13, Sub_14)
    Sub_16 = Sub(GatherElements_12, Sub_15)
    Add_17 = Add(ReduceMax_11, Sub_14)
    Sub_18 = Sub(Sub_16, Add_17)
    Sub_19 = Sub(ScatterElements_10, ReduceMax_11)
    Exp_20 = Exp(Sub_19)
    Neg_21 = Neg(Sub_18)
    Exp_22 = Exp(Neg_21)
    Mul_23 = Mul(Exp_20, Exp_22)
    ReduceSum_24 = ReduceSum(Mul_23, c5) {keepdims=0}
    Squeeze_25 = Squeeze(Sub_13, c5)
    Mul_27 = Mul(Squeeze_25, c26)
    Exp_28 = Exp(Mul_27)
    Mul_29 = Mul(ReduceSum_24, Exp_28)
    Mul_30 = Mul(Mul_29, Exp_28)
    Min_32 = Min(Mul_30, c31)
    Log_33 = Log(ReduceSum_24)
    Sub_34 = Sub(Log_33, Squeeze_25)
    Sub_36 = Sub(Sub_34, c35)
    Relu_37 = Relu(Sub_36)
    Add_39 = Add(Min_32, c38)
    Div_40 = Div(Min_32, Add_39)
    Log_41 = Log(Add_39)
    Sub_42 = Sub(Add_39, c38)
    Sub_43 = Sub(Min_32, Sub_42)
    Div_44 = Div(Sub_43, Add_39)
    Add_45 = Add(Log_41, Div_44)
    Add_46 = Add(Add_45, Relu_37)
    own_gradient_47 = Identity(Add_46)
    ReduceMean_48 = ReduceMean(own_gradient_47) {keepdims=0}
    loss = Identity(ReduceMean_48)
    loss_per_sample = Identity(own_gradient_47)
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
    const c28: float32[] = -3.3999999521443642e+38
    const c49: float32[] = -0.5
    const c54: float32[] = 1.0000000150474662e+30
    const c58: float32[] = 69.07755279541016
    const c61: float32[] = 1
    const c71: float32[] = 64
    const c77: float32[] = 0.5
    const c91: float32[] = 2
    const c103: float32[] = 0.0010000000474974513
    const c105: float32[] = 1000
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
    Shape_23 = Shape(Squeeze_8)
    Slice_24 = Slice(c22, c22, Shape_23, c22)
    Concat_25 = Concat(Slice_24, Reshape_21) {axis=0}
    Gather_26 = Gather(logits, Concat_25) {axis=0}
    Gather_27 = Gather(Unsqueeze_6, Concat_25) {axis=0}
    Shape_29 = Shape(Gather_27)
    Expand_30 = Expand(c28, Shape_29)
    ScatterElements_31 = ScatterElements(Gather_26, Gather_27, Expand_30) {axis=1}
    ReduceMax_32 = ReduceMax(ScatterElements_31, c5) {keepdims=1}
    GatherElements_33 = GatherElements(Gather_26, Gather_27) {axis=1}
    Sub_34 = Sub(GatherElements_33, ReduceMax_32)
    Sub_35 = Sub(Sub_34, GatherElements_33)
    Sub_36 = Sub(Sub_34, Sub_35)
    Sub_37 = Sub(GatherElements_33, Sub_36)
    Add_38 = Add(ReduceMax_32, Sub_35)
    Sub_39 = Sub(Sub_37, Add_38)
    Sub_40 = Sub(ScatterElements_31, ReduceMax_32)
    Exp_41 = Exp(Sub_40)
    Neg_42 = Neg(Sub_39)
    Exp_43 = Exp(Neg_42)
    Mul_44 = Mul(Exp_41, Exp_43)
    ReduceSum_45 = ReduceSum(Mul_44, c5) {keepdims=0}
    Squeeze_46 = Squeeze(Sub_34, c5)
    ScatterElements_47 = ScatterElements(ReduceSum_14, Concat_25, ReduceSum_45) {axis=0}
    ScatterElements_48 = ScatterElements(Squeeze_8, Concat_25, Squeeze_46) {axis=0}
    Mul_50 = Mul(ScatterElements_48, c49)
    Exp_51 = Exp(Mul_50)
    Mul_52 = Mul(ScatterElements_47, Exp_51)
    Mul_53 = Mul(Mul_52, Exp_51)
    Min_55 = Min(Mul_53, c54)
    Log_56 = Log(ScatterElements_47)
    Sub_57 = Sub(Log_56, ScatterElements_48)
    Sub_59 = Sub(Sub_57, c58)
    Relu_60 = Relu(Sub_59)
    Add_62 = Add(Min_55, c61)
    Div_63 = Div(Min_55, Add_62)
    Log_64 = Log(Add_62)
    Sub_65 = Sub(Add_62, c61)
    Sub_66 = Sub(Min_55, Sub_65)
    Div_67 = Div(Sub_66, Add_62)
    Add_68 = Add(Log_64, Div_67)
    Add_69 = Add(Add_68, Relu_60)
    own_gradient_70 = Identity(Add_69)
    Min_72 = Min(own_gradient_70, c71)
    Neg_73 = Neg(Min_72)
    Exp_74 = Exp(Neg_73)
    Sub_75 = Sub(c61, Exp_74)
    Greater_76 = Greater(Sub_75, c10)
    Where_78 = Where(Greater_76, Exp_74, c77)
    Log_79 = Log(Where_78)
    Mul_80 = Mul(Sub_75, Min_72)
    Div_81 = Div(Mul_80, Log_79)
    Neg_82 = Neg(Div_81)
    Where_83 = Where(Greater_76, Neg_82, own_gradient_70)
    Neg_84 = Neg(own_gradient_70)
    Exp_85 = Exp(Neg_84)
    Neg_86 = Neg(Exp_85)
    stop_gradient_87 = Identity(Where_83)
    stop_gradient_88 = Identity(Neg_86)
    Sub_89 = Sub(Neg_86, stop_gradient_88)
    Add_90 = Add(stop_gradient_87, Sub_89)
    Pow_92 = Pow(Add_90, c91)
    Mul_93 = Mul(Pow_92, own_gradient_70)
    Neg_94 = Neg(own_gradient_70)
    Exp_95 = Exp(Neg_94)
    Neg_96 = Neg(Exp_95)
    stop_gradient_97 = Identity(Div_63)
    stop_gradient_98 = Identity(Neg_96)
    Sub_99 = Sub(Neg_96, stop_gradient_98)
    Add_100 = Add(stop_gradient_97, Sub_99)
    Mul_101 = Mul(Add_100, c91)
    Mul_102 = Mul(Mul_101, norm)
    Add_104 = Add(Mul_102, c103)
    Div_106 = Div(c105, Add_104)
    Mul_107 = Mul(Mul_93, Div_106)
    ReduceMean_108 = ReduceMean(Mul_107) {keepdims=0}
    loss = Identity(ReduceMean_108)
    loss_per_sample = Identity(Mul_107)
    ib_factor = Identity(Div_106)
    output loss: float32[]
    output loss_per_sample: float32[N]
    output ib_factor: float32[N]
    "
  `);
});
