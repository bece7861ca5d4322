export { blankModel } from './blank.ts';
export { applyEdit } from './edit.ts';
export { encodeNodeFields, encodeTensor } from './encode.ts';
export { checkExternal, locateExternal } from './external.ts';
export { findTensors } from './findTensors.ts';
export { checkEdit } from './guards.ts';
export {
  bfloat16ToFloat32,
  bfloat16ToNumber,
  float16ToFloat32,
  float16ToNumber,
  float32ToBfloat16,
  float32ToFloat16,
  numberToBfloat16,
  numberToFloat16,
} from './half.ts';
export { leaveWeights } from './leaveWeights.ts';
export { usedNames } from './names.ts';
export { type BytePatch, elementPatches, patchedSource } from './patchedSource.ts';
export { decodeTensor, readTensor } from './readTensor.ts';
export { copyExternalData, rebaseExternalData } from './rebase.ts';
export { relocateExternal } from './relocate.ts';
export { rescan } from './rescan.ts';
export { relabelDim, renamedInitializer, rewireNode, withTensor } from './rewire.ts';
export { scan } from './scan.ts';
export type * from './types.ts';
export { editedBytes, writeModel } from './write.ts';
