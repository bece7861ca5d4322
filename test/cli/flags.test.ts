import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withFlags } from '../../cli/flags.ts';
import { option } from '../../src/errors.ts';
import { ROOT } from '../support/cli.ts';

/** Every `option('key')` and `option('key', value)` in the sources, with a value that is written there. */
function namedOptions(): string[] {
  const files = ['src', 'graphs'].flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => readFileSync(join(ROOT, room, path), 'utf8')),
  );
  const calls = files.flatMap((text) => [
    ...text.matchAll(/\boption\('(\w+)'(?:, ('[\w-]+'|\d[\d.]*|true|false))?[,)]/g),
  ]);
  return [
    ...new Set(
      calls.map(([, key = '', value]) =>
        value === undefined ? option(key) : option(key, JSON.parse(value.replaceAll("'", '"'))),
      ),
    ),
  ];
}

describe('options in messages', () => {
  const commands = readFileSync(join(ROOT, 'docs/commands.md'), 'utf8');

  it('are flags that a command has', () => {
    const named = namedOptions();
    expect(named.length).toBeGreaterThan(80);
    const missing = named.filter((text) => {
      const [flag = ''] = withFlags(text).split(' ');
      return !new RegExp(`${flag}(?![\\w-])`).test(commands) || !flag.startsWith('--');
    });
    expect(missing).toEqual([]);
  });
});
