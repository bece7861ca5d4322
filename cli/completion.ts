import { VERSION } from '../src/catalogue.ts';
import type { Command } from './command.ts';
import type { Completed } from './rows.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

interface Verb {
  readonly name: string;
  readonly describe: string;
  readonly words: readonly string[];
  readonly options: readonly Completed[];
}

/** Options of every command. */
const EVERYWHERE: readonly Completed[] = [
  { name: 'json', describe: 'Print the result as JSON', values: 'none' },
  { name: 'quiet', describe: 'Print results and errors only', values: 'none' },
  { name: 'log-file', describe: 'Append everything that is said to this file', values: 'file' },
  { name: 'debug', describe: 'Show the stack trace of errors', values: 'none' },
  { name: 'help', describe: 'Show help', values: 'none' },
  { name: 'help-all', describe: 'Show help with all options', values: 'none' },
  { name: 'version', describe: 'Show the version', values: 'none' },
];

/** A shell completion script for commands, options and their values, made from the option tables. */
export function completionScript(shell: (typeof SHELLS)[number], commands: readonly Command[]): string {
  const verbs = commands.map(({ usage, describe, completed, words }) => {
    const name = usage.split(' ')[0] ?? '';
    return { name, describe, words, options: [...completed, ...EVERYWHERE] };
  });
  return SCRIPTS[shell](verbs);
}

const SCRIPTS = { bash, zsh, fish };

function bash(verbs: readonly Verb[]): string {
  const values = verbs.flatMap(({ name, options }) =>
    options.flatMap((option) => {
      if (typeof option.values === 'string') return [];
      return [
        `    ${namesOf(option)
          .map((flag) => `"${name} ${flag}"`)
          .join('|')}) words="${option.values.join(' ')}" ;;`,
      ];
    }),
  );
  const taking = verbs.flatMap(({ name, options }) =>
    options
      .filter(({ values }) => values === 'file' || values === 'value')
      .flatMap(namesOf)
      .map((flag) => `"${name} ${flag}"`),
  );
  const options = verbs.map(({ name, options, words }) => {
    const own = options.flatMap(namesOf).join(' ');
    const behind = words.length === 0 ? '' : ` [[ $cur == -* ]] || words="${words.join(' ')}" ;`;
    return `      ${name}) [[ $cur == -* ]] && words="${own}" ;${behind};`;
  });
  return `# bash completion of lossgraft ${VERSION}
_lossgraft() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" words=""
  # --flag=value comes as three words.
  if [[ $cur == "=" ]]; then cur=""; elif [[ $prev == "=" ]]; then prev="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W "${[...verbs.map(({ name }) => name), '--help', '--version'].join(' ')}" -- "$cur"))
    return
  fi
  case "$command $prev" in
${values.join('\n')}
    ${taking.join('|')}) return ;;
    *) case "$command" in
${options.join('\n')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -o bashdefault -F _lossgraft lossgraft
`;
}

function zsh(verbs: readonly Verb[]): string {
  const commands = verbs.map(({ name, describe }) => `    ${quoted(`${name}:${colons(short(describe))}`)}`);
  const cases = verbs.map(({ name, words, options }) => {
    const behind = words.length > 0 ? `*:word:(${words.join(' ')})` : '*:file:_files';
    const specs = [...options.flatMap(zshSpecs), behind].map((spec) => `        ${quoted(spec)}`);
    return `    ${name})\n      _arguments -S \\\n${specs.join(' \\\n')}\n      ;;`;
  });
  return `#compdef lossgraft
# zsh completion of lossgraft ${VERSION}
_lossgraft() {
  local -a commands
  commands=(
${commands.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
if [[ $funcstack[1] == _lossgraft ]]; then _lossgraft "$@"; else compdef _lossgraft lossgraft; fi
`;
}

function zshSpecs(option: Completed): string[] {
  const { describe, values } = option;
  const about = `[${colons(short(describe)).replace(/[[\]]/g, '\\$&')}]`;
  if (values === 'none') return namesOf(option).map((flag) => `${flag}${about}`);
  const action = values === 'file' ? ':file:_files' : values === 'value' ? ':value: ' : `:value:(${values.join(' ')})`;
  return namesOf(option).map((flag) => `${flag}${flag.startsWith('--') ? '=' : '+'}${about}${action}`);
}

function fish(verbs: readonly Verb[]): string {
  const commands = verbs.map(
    ({ name, describe }) =>
      `complete -c lossgraft -n __fish_use_subcommand -f -a ${name} -d ${fishQuoted(short(describe))}`,
  );
  const options = verbs.flatMap(({ name, words, options }) => {
    const on = `complete -c lossgraft -n '__fish_seen_subcommand_from ${name}'`;
    const behind = words.length === 0 ? [] : [`${on} -f -a '${words.join(' ')}'`];
    return [...behind, ...options.map((option) => `${on} ${fishOption(option)}`)];
  });
  return `# fish completion of lossgraft ${VERSION}\n${[...commands, ...options].join('\n')}\n`;
}

function fishOption({ name, alias, describe, values }: Completed): string {
  const flags = `${alias === undefined ? '' : `-s ${alias} `}-l ${name} -d ${fishQuoted(short(describe))}`;
  if (values === 'none') return flags;
  if (values === 'file') return `${flags} -r -F`;
  return values === 'value' ? `${flags} -x` : `${flags} -x -a '${values.join(' ')}'`;
}

function namesOf({ name, alias }: Completed): string[] {
  return [`--${name}`, ...(alias === undefined ? [] : [`-${alias}`])];
}

const WIDTH = 80;

/** The first line of a description, shortened if it is long. */
function short(describe: string): string {
  const [first = ''] = describe.split('\n');
  return first.length <= WIDTH ? first : `${first.slice(0, WIDTH - 1).trimEnd()}…`;
}

function colons(text: string): string {
  return text.replaceAll(':', '\\:');
}

/** For bash and zsh. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
