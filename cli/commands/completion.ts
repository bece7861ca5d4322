import { choice } from '../../src/catalogue.ts';
import { type Command, commandWith } from '../command.ts';
import { completionScript, SHELLS } from '../completion.ts';
import { print, printJson } from '../io.ts';

const rows = {
  shell: choice(SHELLS, 'Which shell', { positional: 'one', required: true }),
};

/** lossgraft completion. @param commands loads all of them, this one too. */
export const completionCommand = (commands: () => Promise<readonly Command[]>): Command =>
  commandWith(async () => undefined, {
    name: 'completion',
    describe: 'Print a script by which a shell completes commands, options and their values',
    rows,
    examples: [
      ['completion bash >> ~/.bashrc', 'bash, from the next shell on'],
      ['completion zsh > ~/.zfunc/_lossgraft', 'zsh, with ~/.zfunc in $fpath before compinit runs'],
      ['completion fish > ~/.config/fish/completions/lossgraft.fish', 'fish'],
    ],
    run: async ({ options, json }) => {
      const script = completionScript(options.shell, await commands());
      await (json ? printJson({ shell: options.shell, script }) : print(script));
    },
  });
