import { fs } from 'memfs';

export const { access, mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } = fs.promises;
