import { checkOptions, LossgraftError, partRows } from '../src/catalogue.ts';
import type { PartReport } from '../src/index.ts';
import { print, printJson } from './io.ts';

const GROUP = 'Options of parts:';

/** For commands that score data in parts: on several machines, with one process for each part. */
export const partOptionRows = {
  part: { ...partRows.part, group: GROUP },
  merge: { ...partRows.merge, group: GROUP },
} as const;

interface Given {
  readonly part?: string;
  readonly merge?: boolean;
  readonly parts?: string;
}

/** The folder of the parts, and the part to score; empty without parts. */
export type PartsAsked = { readonly parts?: string; readonly part?: string };

/**
 * What a command line asks for.
 *
 * @param output from which the folder has its name.
 * @throws LossgraftError `missing-option` without a name for the folder, `option-needs-option` for a folder that nothing would read.
 */
export function partsAsked({ part, merge = false, parts }: Given, output: string | undefined): PartsAsked {
  checkOptions(partRows, { part, merge });
  if (part === undefined && !merge) {
    if (parts === undefined) return {};
    throw refused('option-needs-option', '`part` or `merge` with it', parts, 'Add one of them, or leave it out');
  }
  const folder = parts ?? (output === undefined ? undefined : `${output}.parts`);
  if (folder === undefined)
    throw refused(
      'missing-option',
      'a folder for the parts',
      'nothing',
      'Give it, or name the output, as in all parts',
    );
  return { parts: folder, ...(part === undefined ? {} : { part }) };
}

function refused(code: 'missing-option' | 'option-needs-option', expected: string, found: string, hint: string) {
  return new LossgraftError({ code, where: 'option parts', expected, found, hint });
}

/** Tells that a part is scored. */
export async function tellPart(report: PartReport, json: boolean): Promise<void> {
  if (json) return printJson(report);
  const { part, of, first, last, total, folder, wasThere } = report;
  const rows =
    first === last ? 'no rows: there are more parts than batches' : `rows ${first} to ${last - 1} of ${total}`;
  await print(`part ${part}/${of}: ${rows}\n${wasThere ? 'it is there already' : 'written'} ${folder}\n`);
}
