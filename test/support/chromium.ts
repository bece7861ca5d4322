import { execFile } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './cli.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const PACKAGE = join(ROOT, 'node_modules/@sparticuz/chromium');

/** The package's own names folders of Amazon's machines. */
const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`;

/** A program that playwright starts, and the environment that it needs. */
export interface Chromium {
  readonly executablePath: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Chromium: the program that CHROMIUM names, else the first one on the PATH, else the one in the npm package @sparticuz/chromium.
 *
 * @throws Error where there is none: a test in the browser fails then, it is not skipped.
 */
export async function findChromium(): Promise<Chromium> {
  const named = process.env.CHROMIUM;
  const folders = (process.env.PATH ?? '').split(delimiter);
  const places = named ? [named] : NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = places.find(isExecutable);
  if (found !== undefined) return { executablePath: found, env: process.env };
  if (named) throw new Error(`CHROMIUM=${named} is not a program. Correct it, or unset it.`);
  if (process.platform === 'linux' && process.arch === 'x64') return fromPackage();
  throw new Error(
    `This test needs Chromium, and ${NAMES.join(', ')} are not on the PATH. Let CHROMIUM name its program.`,
  );
}

/** The package's Chromium with the libraries and fonts that a bare Linux lacks, unpacked once for each version. */
async function fromPackage(): Promise<Chromium> {
  const folder = await unpackedChromium();
  const env = { ...process.env, LD_LIBRARY_PATH: join(folder, 'al2023/lib'), FONTCONFIG_PATH: join(folder, 'fonts') };
  return { executablePath: join(folder, 'chromium'), env };
}

/** The folder in which the package's files are, unpacked: Linux on x64. */
export async function unpackedChromium(): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
  const folder = join(ROOT, 'node_modules/.cache', `chromium-${version}`);
  if (!existsSync(folder)) await unpack(folder);
  return folder;
}

/** Whole or not at all: another test file may unpack it at the same time. */
async function unpack(folder: string): Promise<void> {
  mkdirSync(dirname(folder), { recursive: true });
  const part = mkdtempSync(`${folder}-`);
  const script = "const { default: chromium } = await import('@sparticuz/chromium'); await chromium.executablePath();";
  // The package unpacks into the folder for temporary files, and its libraries only where it takes the machine for Amazon's.
  const env = { ...process.env, TMPDIR: part, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' };
  try {
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { cwd: ROOT, env });
    writeFileSync(join(part, 'fonts/fonts.conf'), FONTS);
    renameSync(part, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
