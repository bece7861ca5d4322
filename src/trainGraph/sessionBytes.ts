import type { Model } from '../model.ts';
import { editedBytes, leaveWeights } from '../onnx/index.ts';
import type { ModelEdit } from '../onnx/types.ts';

/** The edited model for a session of this process, with the model's folder for external data: its weights stay in its file. */
export function sessionBytes(model: Model, edit: ModelEdit): Uint8Array {
  const { path, proto } = model;
  return editedBytes(proto, path === null ? edit : leaveWeights(proto, edit, path));
}
