// Loaded into a run with --import: the process kills itself the KILL_AT-th time (default: the second) that it calls KILL_DO, a function of
// node:fs, on a file with KILL_FILE in its name. Of what it then writes, half is on the disk. A file written in parts counts once.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { openSync, writeSync } = fs;
const { KILL_DO, KILL_FILE, KILL_AT = '2' } = process.env;

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
      if (seen.size === Number(KILL_AT)) {
        if (KILL_DO === 'writeSync') writeSync(file, rest[0].subarray(0, rest[0].length >> 1));
        process.kill(process.pid, 'SIGKILL');
      }
    }
    return change(file, ...rest);
  };
  syncBuiltinESMExports();
}
