import { describe, expect, it } from 'vitest';
import { readPlacement } from '../../src/runtime/cuda/placement.ts';

/** Lines of ONNX Runtime 1.30.0's verbose log, as it printed them over stub CUDA libraries. */
const at = (line: string): string =>
  `2026-11-24 11:58:14.7 [V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp] ${line}`;
const forced = (name: string): string =>
  `2026-11-24 11:58:14.7 [I:onnxruntime:, fallback_cpu_capability.cc:167 GetCpuPreferredNodes] ORT optimization- Force fallback to CPU execution for node: ${name} because the CPU execution path is deemed faster than overhead involved with execution on other EPs capable of executing this node`;
const onCpu = (count: number): string => at(` Node(s) placed on [CPUExecutionProvider]. Number of nodes: ${count}`);
const onCuda = (count: number): string => at(` Node(s) placed on [CUDAExecutionProvider]. Number of nodes: ${count}`);
const node = (op: string, name = ''): string => at(`  ${op} (${name})`);
const read = (...lines: string[]): ReturnType<typeof readPlacement> => readPlacement('m', lines.join('\n'));

describe('readPlacement', () => {
  it('takes a log with all nodes on CUDA', () => {
    const log = at(' All nodes placed on [CUDAExecutionProvider]. Number of nodes: 4');
    expect(read(at('Node placements'), log)).toEqual({ total: 4, shapeNodes: [], strays: [] });
  });

  it('takes shape arithmetic that ONNX Runtime forced to the CPU', () => {
    const log = [
      forced('g'),
      forced(''),
      forced('root of a head size'),
      onCpu(3),
      node('Gather', 'g'),
      node('Concat'),
      node('Sqrt', 'root of a head size'),
      onCuda(2),
      node('Shape'),
      node('Reshape'),
    ];
    const { total, shapeNodes, strays } = read(...log);
    expect(total).toBe(5);
    expect(shapeNodes.map(({ op }) => op)).toEqual(['Gather', 'Concat', 'Sqrt']);
    expect(strays).toEqual([]);
  });

  it('reports every other node on the CPU', () => {
    const { strays } = read(onCuda(2), node('Relu'), node('MemcpyFromHost', 'Memcpy'), onCpu(1), node('MaxPool', 'mp'));
    expect(strays).toEqual([{ provider: 'CPUExecutionProvider', op: 'MaxPool', name: 'mp' }]);
  });

  it('does not take an integer operator for shape arithmetic that nothing forced, nor a heavy one that was', () => {
    expect(read(onCpu(1), node('Gather', 'labels'), onCuda(1), node('Relu')).strays).toHaveLength(1);
    expect(read(forced(''), onCpu(2), node('Gather'), node('Concat')).strays).toHaveLength(1);
    expect(read(forced('c'), onCpu(1), node('Conv', 'c')).strays).toHaveLength(1);
  });

  it('reports a graph that is wholly on the CPU, and a log that says nothing', () => {
    const log = at(' All nodes placed on [CPUExecutionProvider]. Number of nodes: 2');
    expect(read(log).strays).toMatchObject([{ op: 'all 2 nodes of a graph' }]);
    expect(() => read('nothing')).toThrow('expected a CUDA session that reports where it placed its nodes');
  });
});
