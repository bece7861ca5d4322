import * as ort from 'onnxruntime-web/wasm';
import { type Epoch, fineTune } from './fineTune.ts';
import { loadTask, type Task } from './task.ts';
import { button, download, fetchBytes, showEpochs, showProblem, showTask } from './view.ts';

// One thread: more of them need a page that is isolated from other origins.
ort.env.wasm.numThreads = 1;

const epochs: Epoch[] = [];
let stopped = false;

button('train').addEventListener('click', () => loaded.then(train).catch(showProblem));
button('stop').addEventListener('click', () => {
  stopped = true;
});
button('model').addEventListener('click', () => {
  for (const { tuned } of epochs.slice(-1)) download('tuned.onnx', tuned);
});
button('metrics').addEventListener('click', () => {
  const lines = epochs.map(({ tuned: _, ...record }) => `${JSON.stringify(record)}\n`);
  download('metrics.jsonl', new TextEncoder().encode(lines.join('')));
});

const loaded = loadTask(fetchBytes);
loaded.then(showTask).catch(showProblem);

async function train(task: Task): Promise<void> {
  epochs.length = 0;
  stopped = false;
  setRunning(true);
  try {
    for await (const epoch of fineTune(ort, task)) {
      epochs.push(epoch);
      showEpochs(epochs, task);
      // The page is drawn between epochs: a run in this thread holds it up.
      await new Promise(requestAnimationFrame);
      if (stopped) break;
    }
  } finally {
    setRunning(false);
  }
}

function setRunning(running: boolean): void {
  button('train').disabled = running;
  button('stop').disabled = !running;
  for (const id of ['model', 'metrics']) button(id).disabled = running || epochs.length === 0;
}
