import { doctor } from '../../src/index.ts';
import { Collector } from './collector.ts';
import type { PartContext } from './context.ts';
import { checkFixtures } from './fixtures.ts';
import { checkNetworks } from './networks.ts';
import { checkPlacement } from './placement.ts';
import { checkRules } from './rules.ts';
import type { PlannedPart } from './runParts.ts';
import { checkSpeed } from './speed.ts';
import { checkSteps, checkTransfers } from './steps.ts';

/** A part of the check: it runs in processes of its own. */
export interface Part extends PlannedPart {
  readonly needsTorch?: boolean;
  run(context: PartContext): Promise<void>;
}

/** In the order in which they run. Nothing on a GPU is looked at where the doctor says that CUDA does not work. */
export const PARTS: readonly Part[] = [
  {
    name: 'doctor',
    title: 'Doctor',
    about: 'What `lossgraft doctor` finds: libraries, driver, device, and a small model whose numbers are checked.',
    budget: 45,
    processes: 1,
    run: checkDoctor,
  },
  {
    name: 'networks',
    title: 'Gradients of whole networks',
    about:
      "All gradients on CUDA and on the CPU, the same weights and batch. Differences are relative to each tensor's largest element.",
    budget: 60,
    processes: 4,
    run: checkNetworks,
  },
  {
    name: 'rules',
    title: 'Gradient rules',
    about:
      "Every rule's cases, computed and held against PyTorch's float64 numbers in fixtures/gradients, to 1e-4 of the largest element.",
    budget: 60,
    processes: 6,
    run: checkRules,
  },
  {
    name: 'fixtures',
    title: 'Fixtures',
    about:
      'The cases of fixtures/cases, as `lossgraft validate --provider cuda` runs them: placement by the profile, numbers against the CPU and PyTorch.',
    budget: 70,
    processes: 6,
    run: checkFixtures,
  },
  {
    name: 'steps',
    title: 'A hundred steps',
    about:
      "SGD with momentum, the same batches on CUDA and on the CPU: losses within 1e-3 of the CPU's over 10 steps and 2e-2 over 100.",
    budget: 60,
    processes: 1,
    run: checkSteps,
  },
  {
    name: 'transfers',
    title: 'Transfers of the Scan form',
    about: 'What the profile of one run counts: copies between the CPU and the GPU, and where the Scan itself ran.',
    budget: 20,
    processes: 1,
    run: checkTransfers,
  },
  {
    name: 'speed',
    title: 'Step times',
    about:
      "Milliseconds of a training step, medians; lossgraft's Scan form with 10 steps a run, its transfers of weights and batches included, and PyTorch's " +
      'eager mode with its batch on the card. float32: TF32 off in both. tf32: on in both. mixed: float16 with loss scaling, autocast in PyTorch.',
    budget: 110,
    processes: 1,
    needsTorch: true,
    run: checkSpeed,
  },
];

/** In place of what a GPU would compute: where nodes go over stub libraries. */
export const REHEARSED: Part = {
  name: 'placement',
  title: 'Placement over stub libraries',
  about:
    'Training graphs in CUDA sessions whose CUDA libraries are stand-ins: placement and kernel constructors are real, nothing is computed.',
  budget: 60,
  processes: 1,
  run: checkPlacement,
};

async function checkDoctor(context: PartContext): Promise<void> {
  const reports = await doctor();
  const wanted = reports.filter(({ provider }) => provider === context.provider);
  const total = wanted.reduce((sum, { findings }) => sum + findings.length, 0);
  const collector = new Collector(context.out, total, Number.POSITIVE_INFINITY);
  for (const { works, findings } of wanted) {
    const rows = findings.map(({ check, ok, found }) => ({ check, ok: ok ? 'ok' : 'NO', found: found.slice(0, 300) }));
    const bad = findings.find(({ ok }) => !ok);
    await collector.each(
      rows.slice(0, -1),
      ({ check }) => check,
      async (row) => ({ row }),
    );
    await collector.each(
      rows.slice(-1),
      ({ check }) => check,
      async (row) => ({
        row,
        ...(works ? {} : { failure: `${bad?.check}: ${bad?.found}. ${bad?.hint}`.slice(0, 600) }),
      }),
    );
  }
}
