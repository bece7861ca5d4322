import { openFile } from '../../files/source.ts';
import { manifestRecord } from '../../manifest.ts';
import { modelFileIn } from '../../modelFolder.ts';
import { scan } from '../../onnx/index.ts';
import type { Expected } from './featureTable.ts';
import { isCategory, preparationIn } from './preparation.ts';

/**
 * What a model tells about the columns of a table it reads: which are texts, and whether missing cells are filled. Empty without a model.
 */
export function expectedBy(model: string | undefined): Expected {
  if (model === undefined) return { texts: [], fills: false };
  const source = openFile(modelFileIn(model));
  try {
    const proto = scan(source);
    const recorded = preparationIn(manifestRecord(proto), source.name);
    const inputs = proto.graph.inputs.flatMap(({ name, type }) => (type?.dtype === 'string' ? [name] : []));
    const categories = recorded?.columns.filter(isCategory).map(({ name }) => name);
    return {
      texts: [...inputs, ...(categories ?? [])],
      fills: recorded?.columns.some(({ fill }) => fill !== undefined) ?? false,
    };
  } finally {
    source.close();
  }
}
