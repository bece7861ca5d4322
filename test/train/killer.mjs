// Loaded into a run with --import: the process dies the second time that it does KILL_DO (a function of node:fs) to a file whose name has
// KILL_FILE in it, half-way where it writes. A file that is written in parts is written once.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { openSync, writeSync } = fs;
const { KILL_DO, KILL_FILE } = process.env;

if (KILL_DO !== undefined) {
  const paths = new Map();
  fs.openSync = (path, ...rest) => {
    const fd = openSync(path, ...rest);
    paths.set(fd, { path: String(path) });
    return fd;
  };
  const seen = new Set();
  const change = fs[KILL_DO];
  fs[KILL_DO] = (file, ...rest) => {
    const opened = paths.get(file) ?? { path: String(file) };
    if (opened.path.includes(KILL_FILE)) {
      seen.add(opened);
      if (seen.size === 2) {
        if (KILL_DO === 'writeSync') writeSync(file, rest[0].subarray(0, rest[0].length >> 1));
        process.kill(process.pid, 'SIGKILL');
      }
    }
    return change(file, ...rest);
  };
  syncBuiltinESMExports();
}
