import * as catalogue from '../src/catalogue.ts';
import {
  flagOf,
  kebabCase,
  type LossgraftError,
  type Problem,
  type Row,
  type Rows,
  rewriteOptions,
} from '../src/catalogue.ts';

/** Options of the library that are flags without a value here. */
const OWN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  mode: { resume: '--resume', replace: '--force' },
  force: { undefined: '--force' },
  copyExternalData: { undefined: '--copy-external-data' },
  setupCuda: { undefined: '--setup-cuda' },
};

/** All options of the tables, including groups, by key. If several tables have a key, one that the command line has counts. */
const ROWS: ReadonlyMap<string, Row> = new Map(
  Object.entries<unknown>(catalogue)
    .filter(isTable)
    .flatMap(([, rows]) => flattened(rows))
    .sort(([, a], [, b]) => Number(a.flag !== false) - Number(b.flag !== false)),
);

function isTable(entry: [string, unknown]): entry is [string, Rows] {
  return entry[0].endsWith('Rows');
}

function flattened(rows: Rows): (readonly [string, Row])[] {
  return Object.entries(rows).flatMap(([key, row]): (readonly [string, Row])[] => [
    [key, row],
    ...(row.kind === 'group' ? flattened(row.rows) : []),
  ]);
}

/** Options that losses, weightings and optimizers declare. */
export const DECLARED: ReadonlySet<string> = new Set(
  [catalogue.losses, catalogue.weightings, catalogue.optimizers].flatMap((registry) =>
    Object.values(registry).flatMap(({ options }) => Object.keys(options)),
  ),
);

/** Writes the options in a text of the library as flags: `--trainable head` for `trainable: "head"`. */
export function withFlags(text: string): string {
  return rewriteOptions(text, flagFor);
}

/** An error's fields, with flags for options. */
export function withFlagsIn({ problem }: LossgraftError): Omit<Problem, 'cause'> {
  const { code, where, expected, found, hint } = problem;
  const place = where.replace(/^option (\w+)/, (whole, key: string) => {
    const flag = flagFor(key, undefined);
    return flag === undefined ? whole : `option ${flag.slice(2)}`;
  });
  return {
    code,
    where: withFlags(place),
    expected: withFlags(expected),
    found: withFlags(found),
    hint: withFlags(hint),
  };
}

function flagFor(key: string, value: string | number | boolean | undefined): string | undefined {
  const own = OWN[key]?.[String(value)];
  if (own !== undefined) return own;
  const row = ROWS.get(key);
  if (row === undefined && !DECLARED.has(key)) return undefined;
  const [name] = Object.entries(row?.switches ?? {}).find(([, { value: meant }]) => meant === value) ?? [];
  if (name !== undefined) return `--${name}`;
  const flag = row === undefined ? `--${kebabCase(key)}` : flagOf(key, row);
  return value === undefined || value === true ? flag : `${flag} ${forShell(String(value))}`;
}

/** The command line of this process, quoted for a shell. */
export function commandLine(): string {
  return ['lossgraft', ...process.argv.slice(2).map(forShell)].join(' ');
}

/** A word of a command line, quoted if a shell would otherwise interpret it. */
function forShell(text: string): string {
  return /^[\w,.:/=+*-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
