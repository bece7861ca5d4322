import leven from 'leven';

/** Other tools' names for things that have another name here, or none. */
const OTHER_COMMANDS: Readonly<Record<string, string>> = {
  ...words(['infer', 'inference', 'classify'], 'Did you mean lossgraft predict?'),
  ...words(['eval', 'test', 'score', 'metrics'], 'Did you mean lossgraft evaluate?'),
  ...words(['temperature', 'threshold', 'thresholds', 'adjust'], 'Did you mean lossgraft calibrate?'),
  ...words(['compare'], 'Did you mean lossgraft evaluate MODEL --data FILE --against OTHER?'),
  ...words(['finetune', 'fine-tune', 'fit', 'tune'], 'Did you mean lossgraft train?'),
  ...words(['info', 'show', 'summary', 'describe'], 'Did you mean lossgraft inspect?'),
  ...words(['graft', 'add', 'loss'], 'Did you mean lossgraft augment?'),
  ...words(
    ['check', 'verify'],
    'lossgraft validate compares a model with reference outputs; lossgraft doctor checks this machine',
  ),
  ...words(['resume'], 'Did you mean lossgraft train … --resume?'),
  ...words(['help'], 'Did you mean lossgraft --help?'),
};

const OTHER_OPTIONS: Readonly<Record<string, string>> = {
  ...words(['lr', 'rate', 'eta'], 'learning-rate'),
  ...words(['bs', 'batch', 'batchsize'], 'batch-size'),
  ...words(['wd', 'decay', 'l2'], 'weight-decay'),
  ...words(['epoch', 'num-epochs', 'n-epochs'], 'epochs'),
  ...words(['out', 'save', 'o'], 'output'),
  ...words(['opt'], 'optimizer'),
  ...words(['val', 'valid', 'val-data', 'validation-split'], 'validation'),
  ...words(['weights', 'class-weight'], 'class-weights'),
  ...words(['counts', 'class-count'], 'class-counts'),
  ...words(['device', 'gpu', 'cuda'], 'provider'),
  ...words(['freeze', 'layers'], 'trainable'),
  ...words(['early-stopping', 'early-stop'], 'patience'),
  ...words(['scheduler', 'lr-scheduler'], 'schedule'),
  ...words(['random-state', 'random-seed'], 'seed'),
  ...words(['grad-clip', 'clip', 'max-norm', 'max-grad-norm'], 'clip-norm'),
  ...words(['dataset', 'train', 'input'], 'data'),
  ...words(['label', 'target', 'target-column'], 'label-column'),
  ...words(['text'], 'text-column'),
  ...words(['max-len', 'max-seq-length', 'sequence-length'], 'max-length'),
  ...words(['run-dir', 'checkpoint', 'checkpoints', 'output-dir', 'logdir'], 'run'),
};

function words(names: readonly string[], meant: string): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, meant]));
}

/** The message for an unknown command. */
export function unknownCommand(given: string, known: readonly string[]): string {
  const found = `Unknown command: ${given}`;
  const told = Object.hasOwn(OTHER_COMMANDS, given) ? OTHER_COMMANDS[given] : undefined;
  if (told !== undefined) return `${found}. ${told}`;
  const [near] = nearest(given, known);
  return near === undefined ? `${found}. The commands are ${known.join(', ')}` : `${found}. Did you mean ${near}?`;
}

/** The message for unknown options; `known` are the command's flags, without dashes. */
export function unknownOptions(given: readonly string[], known: readonly string[]): string {
  const told = given.map((name) => {
    const plain = kebab(name);
    const other = Object.hasOwn(OTHER_OPTIONS, plain) ? OTHER_OPTIONS[plain] : undefined;
    const near = known.includes(plain)
      ? [plain]
      : other !== undefined && known.includes(other)
        ? [other]
        : nearest(plain, known);
    return `--${name}${near.length === 0 ? '' : ` (did you mean ${near.map((each) => `--${each}`).join(' or ')}?)`}`;
  });
  return `Unknown option${given.length > 1 ? 's' : ''}: ${told.join(', ')}`;
}

/** `learning_rate` and `learningRate` as `learning-rate`. */
function kebab(name: string): string {
  return name.replace(/_/g, '-').replace(/[a-z][A-Z]/g, (pair) => `${pair[0]}-${pair[1]?.toLowerCase()}`);
}

/** At most two names that differ in hardly more than a third of their letters. */
function nearest(name: string, known: readonly string[]): string[] {
  const limit = Math.max(1, Math.ceil(name.length / 3));
  const scored = known.map((each) => ({
    each,
    distance: each.startsWith(name) && name.length > 2 ? 1 : leven(name, each),
  }));
  const close = scored.filter(({ distance }) => distance <= limit).sort((a, b) => a.distance - b.distance);
  return close
    .filter(({ distance }) => distance === close[0]?.distance)
    .slice(0, 2)
    .map(({ each }) => each);
}
