import { isRecord } from '../../isRecord.ts';
import { choice, given, isText, type RunRows, text, value } from '../../options/row.ts';
import type { RunOrigin } from '../../records/runFile.ts';
import { none } from './settings.ts';

const isPage = (path: unknown): path is string | false => path === false || isText(path);

const isPort = (port: number): boolean => Number.isSafeInteger(port) && port > 0 && port < 2 ** 16;
const isServed = (given: unknown): given is boolean | number =>
  typeof given === 'boolean' || (typeof given === 'number' && isPort(given));

function parsePort(text: string): boolean | number | undefined {
  if (text === '') return true;
  return isPort(Number(text)) ? Number(text) : undefined;
}

/** The files of a run. */
export const folderRows = {
  /** The folder of run.json, checkpoints, metrics.jsonl, TensorBoard's event files and report.html. */
  folder: text(
    'The folder for run.json, checkpoints, metrics.jsonl, TensorBoard events and report.html (default: the output with .run for .onnx)',
    { ...none, required: true, flag: 'run' },
  ),
  /** What to do with an existing run in `folder`: refuse it (`new`, the default), resume or replace it. */
  mode: choice(['new', 'resume', 'replace'], '', { ...none, flag: false, default: 'new' }),
  /** The path of the page with the run's curves and figures; `false`: none. Default `report.html` in `folder`. */
  report: value('a path, or false', isPage, 'Where to write the report (default: report.html in the run’s folder)', {
    ...none,
    switches: { 'no-report': { value: false, describe: 'Write no report' } },
  }),
  /**
   * Serves the page during training, on this machine only: `true` on a free port, or on this one. A note gives its address. It ends with
   * the run.
   */
  serve: value(
    'true, or a port',
    isServed,
    'Serve the report in the browser during training, on this machine only (default port: a free one)',
    {
      ...none,
      bare: true,
      reads: 'a port from 1 to 65535, or nothing',
      parse: parsePort,
    },
  ),
  /** A caller's additions to `run.json`, the record of the run in its folder. */
  origin: given<RunOrigin>('an object', isRecord),
} as const satisfies RunRows;
