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
    const c47: float32[] = -0.5
    const c52: float32[] = 1.0000000150474662e+30
    const c56: float32[] = 69.07755279541016
    const c59: float32[] = 1
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
    GatherElements_31 = GatherElements(Gather_24, Gather_25) {axis=1}
    Sub_32 = Sub(GatherElements_31, ReduceMax_30)
    Sub_33 = Sub(Sub_32, GatherElements_31)
    Sub_34 = Sub(Sub_32, Sub_33)
    Sub_35 = Sub(GatherElements_31, Sub_34)
    Add_36 = Add(ReduceMax_30, Sub_33)
    Sub_37 = Sub(Sub_35, Add_36)
    Sub_38 = Sub(ScatterElements_29, ReduceMax_30)
    Exp_39 = Exp(Sub_38)
    Neg_40 = Neg(Sub_37)
    Exp_41 = Exp(Neg_40)
    Mul_42 = Mul(Exp_39, Exp_41)
    ReduceSum_43 = ReduceSum(Mul_42, c5) {keepdims=0}
    Squeeze_44 = Squeeze(Sub_32, c5)
    ScatterElements_45 = ScatterElements(ReduceSum_14, Concat_23, ReduceSum_43) {axis=0}
    ScatterElements_46 = ScatterElements(Squeeze_8, Concat_23, Squeeze_44) {axis=0}
    Mul_48 = Mul(ScatterElements_46, c47)
    Exp_49 = Exp(Mul_48)
    Mul_50 = Mul(ScatterElements_45, Exp_49)
    Mul_51 = Mul(Mul_50, Exp_49)
    Min_53 = Min(Mul_51, c52)
    Log_54 = Log(ScatterElements_45)
    Sub_55 = Sub(Log_54, ScatterElements_46)
    Sub_57 = Sub(Sub_55, c56)
    Relu_58 = Relu(Sub_57)
    Add_60 = Add(Min_53, c59)
    Div_61 = Div(Min_53, Add_60)
    Log_62 = Log(Add_60)
    Sub_63 = Sub(Add_60, c59)
    Sub_64 = Sub(Min_53, Sub_63)
    Div_65 = Div(Sub_64, Add_60)
    Add_66 = Add(Log_62, Div_65)
    Add_67 = Add(Add_66, Relu_58)
    own_gradient_68 = Identity(Add_67)
    ReduceMean_69 = ReduceMean(own_gradient_68) {keepdims=0}
    loss = Identity(ReduceMean_69)
    loss_per_sample = Identity(own_gradient_68)
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
    const c47: float32[] = -0.5
    const c52: float32[] = 1.0000000150474662e+30
    const c56: float32[] = 69.07755279541016
    const c59: float32[] = 1
    const c69: float32[] = 64
    const c75: float32[] = 0.5
    const c89: float32[] = 2
    const c101: float32[] = 0.0010000000474974513
    const c103: float32[] = 1000
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
    GatherElements_31 = GatherElements(Gather_24, Gather_25) {axis=1}
    Sub_32 = Sub(GatherElements_31, ReduceMax_30)
    Sub_33 = Sub(Sub_32, GatherElements_31)
    Sub_34 = Sub(Sub_32, Sub_33)
    Sub_35 = Sub(GatherElements_31, Sub_34)
    Add_36 = Add(ReduceMax_30, Sub_33)
    Sub_37 = Sub(Sub_35, Add_36)
    Sub_38 = Sub(ScatterElements_29, ReduceMax_30)
    Exp_39 = Exp(Sub_38)
    Neg_40 = Neg(Sub_37)
    Exp_41 = Exp(Neg_40)
    Mul_42 = Mul(Exp_39, Exp_41)
    ReduceSum_43 = ReduceSum(Mul_42, c5) {keepdims=0}
    Squeeze_44 = Squeeze(Sub_32, c5)
    ScatterElements_45 = ScatterElements(ReduceSum_14, Concat_23, ReduceSum_43) {axis=0}
    ScatterElements_46 = ScatterElements(Squeeze_8, Concat_23, Squeeze_44) {axis=0}
    Mul_48 = Mul(ScatterElements_46, c47)
    Exp_49 = Exp(Mul_48)
    Mul_50 = Mul(ScatterElements_45, Exp_49)
    Mul_51 = Mul(Mul_50, Exp_49)
    Min_53 = Min(Mul_51, c52)
    Log_54 = Log(ScatterElements_45)
    Sub_55 = Sub(Log_54, ScatterElements_46)
    Sub_57 = Sub(Sub_55, c56)
    Relu_58 = Relu(Sub_57)
    Add_60 = Add(Min_53, c59)
    Div_61 = Div(Min_53, Add_60)
    Log_62 = Log(Add_60)
    Sub_63 = Sub(Add_60, c59)
    Sub_64 = Sub(Min_53, Sub_63)
    Div_65 = Div(Sub_64, Add_60)
    Add_66 = Add(Log_62, Div_65)
    Add_67 = Add(Add_66, Relu_58)
    own_gradient_68 = Identity(Add_67)
    Min_70 = Min(own_gradient_68, c69)
    Neg_71 = Neg(Min_70)
    Exp_72 = Exp(Neg_71)
    Sub_73 = Sub(c59, Exp_72)
    Greater_74 = Greater(Sub_73, c10)
    Where_76 = Where(Greater_74, Exp_72, c75)
    Log_77 = Log(Where_76)
    Mul_78 = Mul(Sub_73, Min_70)
    Div_79 = Div(Mul_78, Log_77)
    Neg_80 = Neg(Div_79)
    Where_81 = Where(Greater_74, Neg_80, own_gradient_68)
    Neg_82 = Neg(own_gradient_68)
    Exp_83 = Exp(Neg_82)
    Neg_84 = Neg(Exp_83)
    stop_gradient_85 = Identity(Where_81)
    stop_gradient_86 = Identity(Neg_84)
    Sub_87 = Sub(Neg_84, stop_gradient_86)
    Add_88 = Add(stop_gradient_85, Sub_87)
    Pow_90 = Pow(Add_88, c89)
    Mul_91 = Mul(Pow_90, own_gradient_68)
    Neg_92 = Neg(own_gradient_68)
    Exp_93 = Exp(Neg_92)
    Neg_94 = Neg(Exp_93)
    stop_gradient_95 = Identity(Div_61)
    stop_gradient_96 = Identity(Neg_94)
    Sub_97 = Sub(Neg_94, stop_gradient_96)
    Add_98 = Add(stop_gradient_95, Sub_97)
    Mul_99 = Mul(Add_98, c89)
    Mul_100 = Mul(Mul_99, norm)
    Add_102 = Add(Mul_100, c101)
    Div_104 = Div(c103, Add_102)
    Mul_105 = Mul(Mul_91, Div_104)
    ReduceMean_106 = ReduceMean(Mul_105) {keepdims=0}
    loss = Identity(ReduceMean_106)
    loss_per_sample = Identity(Mul_105)
    ib_factor = Identity(Div_104)
    output loss: float32[]
    output loss_per_sample: float32[N]
    output ib_factor: float32[N]
    "
  `);
});
