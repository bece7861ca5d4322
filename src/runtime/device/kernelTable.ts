/** What a cell of a kernel table, such as `cuda 11-21; cpu 22-26`, says of an opset; `undefined` where it says nothing. */
export function statusAt(cell: string, opset: number): string | undefined {
  const entry = cell.split('; ').find((part) => inRange(part.slice(part.lastIndexOf(' ') + 1), opset));
  return entry?.slice(0, entry.lastIndexOf(' '));
}

function inRange(ranges: string, opset: number): boolean {
  return ranges.split(',').some((range) => {
    const [from = Number.NaN, to = from] = range.split('-').map(Number);
    return opset >= from && opset <= to;
  });
}

/** The note of a status such as `mixed(Concat,Div)`: which pieces are on the CPU. */
export function piecesOnCpu(status: string): string | undefined {
  const [, pieces] = /^mixed\((.*)\)$/.exec(status) ?? [];
  return pieces === undefined ? undefined : `on the CPU: ${pieces.replaceAll(',', ', ')}`;
}
