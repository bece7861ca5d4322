import { VERSION } from '../../src/catalogue.ts';
import { button, element } from './dom.ts';
import { ignoreOtherDrops, takeDrops } from './drop.ts';
import { exampleFiles } from './example.ts';
import { watchFields } from './form.ts';
import { keepOffline } from './offline.ts';
import { Page } from './page.ts';
import { showProblem } from './problem.ts';

const page = new Page();
ignoreOtherDrops();
takeDrops('model-drop', ['model-files'], (files) => page.takeModel(files));
takeDrops('data-drop', ['data-files', 'data-folder'], (files) => page.takeData(files));
button('example').onclick = async () => {
  try {
    const { model, data } = await exampleFiles();
    await page.takeModel(model, data);
  } catch (error) {
    showProblem('model-problem', error);
  }
};
button('reread').onclick = () => page.reread();
button('train').onclick = () => page.train();
button('cancel').onclick = () => page.stop();
button('download').onclick = () => page.handOver();
button('report').onclick = () => page.giveReport();
element('engine').onchange = () => page.restart();
watchFields(['trainable', 'goal', 'epochs', 'learningRate', 'folds'], {
  stale: () => page.forgetPlan(),
  settled: () => page.recheck(),
});
watchFields(['labelColumn', 'resize', 'crop', 'channels', 'mean', 'std', 'classes'], {
  stale: () => page.forgetSamples(),
  settled: () => page.rereadStale(),
});
element('version').textContent = `lossgraft ${VERSION}`;
await keepOffline(page.started);
