import type { Command } from '../command.ts';

interface Args {
  dirs: string[];
  provider: 'cpu' | 'cuda' | undefined;
}

/** lossgraft validate */
export const validateCommand: Command<Args> = {
  command: 'validate <dirs..>',
  describe: 'Compare models with reference outputs; exit status 1 where one is out of tolerance',
  handler: async () => {},
};
