import { join } from 'node:path';
import { context } from 'esbuild';
import { buildSite } from './build.ts';

/** `npm run example:browser`: builds the page into a folder and serves it on this machine. */

const folder = process.argv[2] ?? join(import.meta.dirname, '../../demo-output/browser');
await buildSite(folder);
const server = await context({});
const { port } = await server.serve({ servedir: folder, host: '127.0.0.1' });
process.stdout.write(`Training in the browser: http://127.0.0.1:${port}/ (Ctrl-C ends)\n`);
