import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openFile } from '../../src/files/source.ts';
import { applyEdit, editedBytes, type ModelEdit, scan, writeModel } from '../../src/onnx/index.ts';
import { scanBytes, smallModel } from './models.ts';

/** What the next writes do: the disk takes so many bytes and is full then. */
const disk = vi.hoisted(() => ({ room: Number.POSITIVE_INFINITY, error: 'ENOSPC', written: 0 }));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  return {
    ...real,
    writeSync: (fd: number, bytes: Uint8Array, offset = 0, length = bytes.length - offset): number => {
      if (disk.room <= 0)
        throw Object.assign(new Error(`${disk.error}: no space left on device, write`), { code: disk.error });
      const take = Math.min(length, disk.room);
      disk.room -= take;
      return real.writeSync(fd, bytes, offset, take);
    },
  };
});

const folder = fs.mkdtempSync(join(tmpdir(), 'write-'));
const input = join(folder, 'in.onnx');
const output = join(folder, 'out.onnx');
afterAll(() => fs.rmSync(folder, { recursive: true }));
beforeEach(() => {
  disk.room = Number.POSITIVE_INFINITY;
  for (const file of fs.readdirSync(folder)) fs.rmSync(join(folder, file));
  fs.writeFileSync(input, smallModel());
});

const edit: ModelEdit = {
  nodes: [{ name: 'n', opType: 'Relu', inputs: ['y'], outputs: ['r'] }],
  initializers: [
    { name: 'big', tensor: { dtype: 'uint8', dims: [1_000_000], data: new Uint8Array(1_000_000).fill(7) } },
  ],
};

function write(path: string, change: ModelEdit = edit): void {
  const source = openFile(input);
  try {
    writeModel(scan(source), change, path);
  } finally {
    source.close();
  }
}

describe('writeModel', () => {
  it('writes what editedBytes gives, with nothing left beside it', () => {
    write(output);
    expect(fs.readFileSync(output).equals(editedBytes(scanBytes(smallModel()), edit))).toBe(true);
    expect(fs.readdirSync(folder).toSorted()).toEqual(['in.onnx', 'out.onnx']);
    expect(fs.statSync(output).mode & 0o777).toBe(0o666 & ~process.umask());
  });

  it('copies ranges of any size and place', () => {
    // Removals between copies, and payloads beyond the copying buffer.
    const source = scanBytes(editedBytes(scanBytes(smallModel()), edit));
    fs.writeFileSync(input, editedBytes(source, {}));
    const removals = source.graph.initializers.slice(0, 1).map(({ span }) => span);
    const replacements = source.graph.nodes.slice(0, 1).map(({ span }) => ({ span, bytes: new Uint8Array() }));
    const nodes = [{ name: 'other', opType: 'Relu', inputs: ['x'], outputs: ['xw'] }];
    const change = {
      removals,
      replacements,
      nodesBefore: [{ before: source.graph.nodes[1]?.span ?? source.graph.span, nodes }],
    };
    write(output, change);
    expect(fs.readFileSync(output).equals(editedBytes(source, change))).toBe(true);
  });

  it('replaces an output that exists, whole or not at all', () => {
    fs.writeFileSync(output, 'before');
    disk.room = 500_000;
    expect(() => write(output)).toThrow(expect.objectContaining({ code: 'disk-full' }));
    expect(fs.readFileSync(output, 'utf8')).toBe('before');
    expect(fs.readdirSync(folder).toSorted()).toEqual(['in.onnx', 'out.onnx']);
    disk.room = Number.POSITIVE_INFINITY;
    write(output);
    expect(fs.readFileSync(output).length).toBeGreaterThan(1_000_000);
  });

  it.each(['ENOSPC', 'EDQUOT', 'EIO'])('leaves nothing behind when the disk says %s', (error) => {
    for (const room of [0, 1, 100, 200_000]) {
      disk.room = room;
      disk.error = error;
      const code = error === 'EIO' ? 'write-failed' : 'disk-full';
      expect(() => write(output)).toThrow(expect.objectContaining({ code }));
      expect(fs.readdirSync(folder)).toEqual(['in.onnx']);
    }
  });

  it('refuses its own input, by any name', () => {
    fs.symlinkSync(input, join(folder, 'symbolic.onnx'));
    fs.linkSync(input, join(folder, 'hard.onnx'));
    for (const name of ['in.onnx', 'symbolic.onnx', 'hard.onnx']) {
      expect(() => write(join(folder, name))).toThrow(expect.objectContaining({ code: 'output-is-input' }));
    }
    expect(fs.readFileSync(input).equals(smallModel())).toBe(true);
  });

  it('refuses a folder that is not there', () => {
    expect(() => write(join(folder, 'none', 'out.onnx'))).toThrow(expect.objectContaining({ code: 'write-failed' }));
  });

  it('refuses an edit that the guards refuse, and writes nothing', () => {
    const wrong = { nodes: [{ name: '', opType: 'Relu', inputs: ['nowhere'], outputs: ['r'] }] };
    expect(() => write(output, wrong)).toThrow(expect.objectContaining({ code: 'undefined-input' }));
    expect(fs.readdirSync(folder)).toEqual(['in.onnx']);
  });

  it('refuses more than 2^31 − 1 bytes and says what to do, before it writes', () => {
    const data = new Uint8Array(2 ** 30);
    const initializers = ['big1', 'big2'].map((name) => ({
      name,
      tensor: { dtype: 'uint8', dims: [data.length], data } as const,
    }));
    expect(() => write(output, { initializers })).toThrow(expect.objectContaining({ code: 'output-too-large' }));
    expect(() => write(output, { initializers })).toThrow(/external data/);
    expect(() => editedBytes(scanBytes(smallModel()), { initializers })).toThrow(/external data/);
    expect(fs.readdirSync(folder)).toEqual(['in.onnx']);
  });
});

describe('applyEdit refuses', () => {
  const model = scanBytes(smallModel());
  const [first, second] = model.graph.nodes;
  if (!(first && second)) throw new Error('no nodes');

  it('a span twice, and a span within another', () => {
    expect(() => applyEdit(model, { removals: [first.span, first.span] })).toThrow(
      expect.objectContaining({ code: 'edit-overlap' }),
    );
    const inner = model.graph.inputs[0]?.dimSpans[0];
    const outer = model.graph.inputs[0]?.span;
    if (!(inner && outer)) throw new Error('no dimension');
    expect(() => applyEdit(model, { removals: [outer, inner] })).toThrow(
      expect.objectContaining({ code: 'edit-overlap' }),
    );
  });

  it('spans that are no fields', () => {
    const { start, body, end } = first.span;
    for (const span of [
      { start, body, end: end + 1 },
      { start: start + 1, body, end },
      { start: model.source.size, body: 0, end: model.source.size + 5 },
      { start, body, end: second.span.end },
    ]) {
      expect(() => applyEdit(model, { removals: [span] })).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^edit-|malformed/) }),
      );
    }
  });
});
