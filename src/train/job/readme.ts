import type { RunFile } from '../../records/runFile.ts';
import { type JobPlan, RUNNER_VERSION } from './planFile.ts';

/**
 * What workers need beside the runner, in the versions that its tests ran with. ONNX Runtime is that of `train` here: another version
 * rounds otherwise.
 */
export function requirements({ 'onnxruntime-node': runtime }: RunFile['versions']): string {
  return `numpy==2.4.6\nonnxruntime${runtime === undefined ? '' : `==${runtime}`}\nsafetensors==0.8.0\n`;
}

/** How a job is run. */
export function jobReadme({ arm, epochs, steps, batchSize, samples }: JobPlan): string {
  return `# A training for workers

\`lossgraft export-job\` wrote this folder: ${epochs.length} epochs of ${steps} steps with the loss ${arm}, on batches of
${batchSize} out of ${samples} samples. Workers need this folder, seen by all of them at the same path, and Python 3.10 or newer.
They do not need Node. Any number of workers ends with the same numbers, but for rounding: each batch is cut by rank.

\`\`\`sh
pip install -r requirements.txt ./runner      # lossgraft-runner ${RUNNER_VERSION}
pip install torch                             # for more than one worker: its all-reduce (gloo)
\`\`\`

Checkpoints are in \`progress\`: after each epoch, every ten minutes, and after Ctrl-C or SIGTERM. The same command continues from the
last one, also with another number of workers. An error names the rank and what to do.

## One worker

\`\`\`sh
lossgraft-runner .
\`\`\`

## torchrun

\`\`\`sh
torchrun --nproc-per-node 4 -m lossgraft_runner .
# on each of 2 machines; HOST is the first one
torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint HOST:29500 -m lossgraft_runner .
\`\`\`

## Slurm (an outline, not tried)

\`\`\`sh
sbatch --nodes 2 --ntasks-per-node 1 --cpus-per-task 8 --wrap 'srun torchrun --nnodes $SLURM_NNODES \\
  --nproc-per-node 2 --rdzv-backend c10d --rdzv-endpoint $(scontrol show hostnames $SLURM_JOB_NODELIST | head -1):29500 \\
  -m lossgraft_runner .'
\`\`\`

## Kubernetes (Kubeflow Trainer; an outline, not tried)

\`\`\`yaml
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: { name: lossgraft }
spec:
  runtimeRef: { name: torch-distributed }
  trainer:
    numNodes: 2
    image: IMAGE            # Python with requirements.txt, ./runner and torch
    command: [torchrun, -m, lossgraft_runner, /job]
    # mount this folder at /job, on a volume that all pods share
\`\`\`

## Ray

There is no adapter for Ray Train. \`torchrun\`, started on each machine, needs nothing of Ray.

## Afterwards

On a machine with Node, the model and the data:

\`\`\`sh
lossgraft collect . -o tuned.onnx
\`\`\`

It judges every epoch, decides whether the model is better, and writes metrics.jsonl, TensorBoard's events, the report and the
tuned model, as \`lossgraft train\` does.
`;
}
