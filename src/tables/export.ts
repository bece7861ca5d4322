import { flag, text } from '../options/row.ts';

/** The options of `exportRun`. */
export const exportRows = {
  /** The loss whose model is written, by its name in the run: `ce+inverse`. */
  arm: text('The loss whose model to write, by its name in the run’s table: ce+inverse', {
    first: true,
    required: true,
  }),
  /** The trained model. Default: its recorded path. */
  model: text('The model that was trained (default: its path at that time)', { first: true }),
  force: flag('Replace an existing output', { first: true }),
};
