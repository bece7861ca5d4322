import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isRecord } from './isRecord.ts';
import { manifestRecord } from './manifest.ts';
import { configFolder } from './modelFolder.ts';
import type { ModelProto } from './onnx/types.ts';
import { TASK_NAMES, type Task } from './task.ts';

/** The stated task of a model's labels, and its source. */
export interface StatedTask {
  readonly task: Task;
  readonly from: string;
}

/** The task of a model's labels, from lossgraft's manifest in the file, or else Hugging Face's config.json beside it. */
export function statedTask(model: { readonly proto: ModelProto; readonly dir?: string }): StatedTask | undefined {
  const { task } = manifestRecord(model.proto) ?? {};
  const own = TASK_NAMES.find((name) => name === task);
  if (own !== undefined) return { task: own, from: "lossgraft's manifest" };
  return model.dir === undefined ? undefined : taskInConfig(join(model.dir, 'model.onnx'));
}

/** A larger config.json is something else (CWE-770). */
const MAX_CONFIG_BYTES: number = 16 * 2 ** 20;

/** `single_label_classification` is a default that proves nothing. */
function taskInConfig(model: string): StatedTask | undefined {
  const folder = configFolder(model);
  const path = folder === undefined ? undefined : join(folder, 'config.json');
  if (path === undefined || statSync(path).size > MAX_CONFIG_BYTES) return undefined;
  try {
    const config: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const isMultiLabel = isRecord(config) && config.problem_type === 'multi_label_classification';
    return isMultiLabel ? { task: 'multi-label', from: `problem_type of ${path}` } : undefined;
  } catch {
    return undefined;
  }
}

/** Adds the option `task` if it is missing and the file states it. */
export function withStatedTask<T extends { readonly task?: Task }>(
  model: { readonly proto: ModelProto; readonly dir?: string },
  request: T,
): T {
  const stated = request.task === undefined ? statedTask(model) : undefined;
  return stated === undefined ? request : { ...request, task: stated.task };
}
