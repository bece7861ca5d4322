import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { DataOptions } from '../../src/index.ts';
import { ROOT } from './cli.ts';

const INDEX = pathToFileURL(join(ROOT, 'dist/src/index.js')).href;

/** What a process of its own found in data. */
export interface Measured {
  readonly rows?: number;
  /** Of the error, where the data are refused. */
  readonly code?: string;
  /** The most memory that the process took, in MiB; about 100 of them are Node and its libraries. */
  readonly megabytes: number;
}

/** Opens data in a process of its own and reads batches all over them. */
export async function readMeasured(path: string, options: DataOptions = {}, batch = 1): Promise<Measured> {
  const script = `
    import { openData } from ${JSON.stringify(INDEX)};
    const found = {};
    try {
      const data = await openData(${JSON.stringify(path)}, ${JSON.stringify(options)});
      const [rows] = data.unnamed.dims;
      for (let i = 0; i < 24; i++) await data.unnamed.read(Math.floor((i * 0.38 % 1) * (rows - ${batch})), ${batch});
      found.rows = rows;
    } catch (error) {
      if (error.code === undefined) throw error;
      found.code = error.code;
    }
    console.log(JSON.stringify({ ...found, megabytes: process.resourceUsage().maxRSS / 1024 }));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  return JSON.parse(stdout);
}
