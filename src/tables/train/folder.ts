import { isRecord } from '../../isRecord.ts';
import { choice, given, isText, type RunRows, text, value } from '../../options/row.ts';
import type { RunOrigin } from '../../records/runFile.ts';
import { none } from './settings.ts';

const isPage = (path: unknown): path is string | false => path === false || isText(path);

/** The files of a run. */
export const folderRows = {
  /** The folder of run.json, checkpoints, metrics.jsonl, TensorBoard's event files and report.html. */
  folder: text(
    'The folder for run.json, checkpoints, metrics.jsonl, TensorBoard events and report.html (default: the output with .run for .onnx)',
    { ...none, required: true, flag: 'run' },
  ),
  /** What is done with a run that is in `folder` already: it is refused (`new`, the default), resumed, or replaced. */
  mode: choice(['new', 'resume', 'replace'], '', { ...none, flag: false, default: 'new' }),
  /** Where the page with the run's curves and figures goes; `false`: none is written. Default `report.html` in `folder`. */
  report: value('a path, or false', isPage, 'Where to write the report (default: report.html in the run’s folder)', {
    ...none,
    switches: { 'no-report': { value: false, describe: 'Write no report' } },
  }),
  /** What a caller adds to `run.json`, the record of the run in its folder. */
  origin: given<RunOrigin>('an object', isRecord),
} as const satisfies RunRows;
