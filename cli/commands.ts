import type { Command } from './command.ts';

/** The commands in the order of the help. Each is loaded when it runs; only help and completion need all of them. */
const LOADERS: Readonly<Record<string, () => Promise<Command>>> = {
  demo: async () => (await import('./commands/demo.ts')).demoCommand,
  inspect: async () => (await import('./commands/inspect.ts')).inspectCommand,
  augment: async () => (await import('./commands/augment.ts')).augmentCommand,
  'train-graph': async () => (await import('./commands/trainGraph.ts')).trainGraphCommand,
  train: async () => (await import('./commands/train.ts')).trainCommand,
  'export-job': async () => (await import('./commands/exportJob.ts')).exportJobCommand,
  collect: async () => (await import('./commands/collect.ts')).collectCommand,
  export: async () => (await import('./commands/export.ts')).exportCommand,
  evaluate: async () => (await import('./commands/evaluate.ts')).evaluateCommand,
  predict: async () => (await import('./commands/predict.ts')).predictCommand,
  calibrate: async () => (await import('./commands/calibrate.ts')).calibrateCommand,
  rehead: async () => (await import('./commands/rehead.ts')).reheadCommand,
  run: async () => (await import('./commands/run.ts')).runCommand,
  shard: async () => (await import('./commands/shard.ts')).shardCommand,
  validate: async () => (await import('./commands/validate.ts')).validateCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  completion: async () => (await import('./commands/completion.ts')).completionCommand(allCommands),
};

export const COMMAND_NAMES: readonly string[] = Object.keys(LOADERS);

function allCommands(): Promise<readonly Command[]> {
  return Promise.all(Object.values(LOADERS).map((load) => load()));
}

/** The name of the command that a command line begins with. */
export function commandName([first = '']: readonly string[]): string | undefined {
  return Object.hasOwn(LOADERS, first) ? first : undefined;
}

/** The command that a command line begins with, or all of them. */
export async function commandsFor(args: readonly string[]): Promise<readonly Command[]> {
  const load = LOADERS[commandName(args) ?? ''];
  return load ? [await load()] : allCommands();
}
