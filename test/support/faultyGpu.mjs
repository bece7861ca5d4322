/*
 * Loaded before a command (NODE_OPTIONS=--import=…): WebGPU sessions that fail as a GPU does. FAULT is `lost:N`, after so many runs of
 * training graphs, or `memory:N`, for batches of more labels than that.
 */
import { InferenceSession } from 'onnxruntime-node';

const [kind, count] = (process.env.FAULT ?? '').split(':');
const most = Number(count);
let runs = 0;

const { create } = InferenceSession;
InferenceSession.create = async (model, options) => {
  const session = await create.call(InferenceSession, model, options);
  const isWebgpu = options?.executionProviders?.some(({ name }) => name === 'webgpu');
  if (!isWebgpu || kind === undefined) return session;
  const run = session.run.bind(session);
  session.run = async (feeds, ...more) => {
    const [rows = 0] = feeds.labels?.dims ?? [];
    if (kind === 'memory' && rows > most)
      throw new Error('Failed to allocate memory for requested buffer of size 4294967296: out of memory');
    if (session.outputNames.some((name) => name.endsWith('.next'))) runs += 1;
    if (kind === 'lost' && runs > most)
      throw new Error('WebGPU device lost (2): A valid external Instance reference no longer exists.');
    return run(feeds, ...more);
  };
  return session;
};
