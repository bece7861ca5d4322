import type { CommandModule } from 'yargs';

/** The options of every command. */
export interface Shared {
  json: boolean | undefined;
  debug: boolean | undefined;
}

/** A command with the arguments `A`. */
export type Command<A> = CommandModule<Shared, Shared & A>;
