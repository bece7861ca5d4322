import { createEmitter, MIN_OPSET } from '../../emit/index.ts';
import { buildGraph } from '../../ir/build.ts';
import { graphEdit } from '../../ir/edit.ts';
import { type Model, modelFile, open } from '../../model.ts';
import { editedBytes, leaveWeights } from '../../onnx/index.ts';
import { inferTypes } from '../../runtime/oracle/oracle.ts';
import type { ModelFile, Provider } from '../../runtime/session.ts';
import { adapt } from '../adapt.ts';
import { webgpuForms } from './forms.ts';

/** What a session of a provider opens: for WebGPU, the model in forms that it has kernels for. The file itself is not written to. */
export async function fileFor(provider: Provider, given: ModelFile): Promise<ModelFile> {
  if (provider !== 'webgpu') return given;
  const { file, session } = given;
  const { name = 'model', externalDataFolder } = session;
  const dir = externalDataFolder === undefined ? {} : { dir: externalDataFolder };
  const model = await open(file, typeof file === 'string' ? {} : { name, ...dir });
  try {
    return (await adapted(model)) ?? given;
  } finally {
    model.close();
  }
}

async function adapted(model: Model): Promise<ModelFile | undefined> {
  const { proto, path, opset } = model;
  if (opset < MIN_OPSET) return undefined;
  const graph = buildGraph(proto);
  const concerned = graph.nodes.filter(({ domain, opType }) => domain === '' && Object.hasOwn(webgpuForms, opType));
  if (concerned.length === 0) return undefined;
  const values = concerned.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]);
  await inferTypes(proto, graph, [...new Set(values.filter((value) => value !== undefined))]);
  adapt(createEmitter(graph, opset), webgpuForms);
  const edit = graphEdit(proto, graph);
  const bytes = editedBytes(proto, path === null ? edit : leaveWeights(proto, edit, path));
  return { file: bytes, session: { ...modelFile(model).session, name: model.name, externalDataFolder: model.dir } };
}
