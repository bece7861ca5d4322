/**
 * The one-to-one assignment of rows to columns with the smallest sum of costs: shortest augmenting paths (Jonker and Volgenant 1987), O(n³).
 *
 * @param cost [n, n], row by row, finite.
 * @returns the column of each row.
 */
export function assign(cost: Float64Array, n: number): Int32Array {
  const rowOf = new Int32Array(n).fill(-1);
  const columnOf = new Int32Array(n).fill(-1);
  const rowPrice = new Float64Array(n);
  const columnPrice = new Float64Array(n);
  for (let start = 0; start < n; start++) {
    const nearest = new Float64Array(n).fill(Number.POSITIVE_INFINITY);
    const from = new Int32Array(n).fill(-1);
    const isDone = new Uint8Array(n);
    let [row, end, distance] = [start, -1, 0];
    while (end < 0) {
      let next = -1;
      for (let column = 0; column < n; column++) {
        if (isDone[column]) continue;
        const reduced = at(cost, row * n + column) - at(rowPrice, row) - at(columnPrice, column);
        if (distance + reduced < at(nearest, column)) {
          nearest[column] = distance + reduced;
          from[column] = row;
        }
        if (next < 0 || at(nearest, column) < at(nearest, next)) next = column;
      }
      isDone[next] = 1;
      distance = at(nearest, next);
      if (at(rowOf, next) < 0) end = next;
      else row = at(rowOf, next);
    }
    rowPrice[start] = at(rowPrice, start) + distance;
    for (let column = 0; column < n; column++) {
      if (!isDone[column] || column === end) continue;
      const gained = distance - at(nearest, column);
      columnPrice[column] = at(columnPrice, column) - gained;
      rowPrice[at(rowOf, column)] = at(rowPrice, at(rowOf, column)) + gained;
    }
    for (let column = end; column >= 0; ) {
      const owner = at(from, column);
      const before = at(columnOf, owner);
      rowOf[column] = owner;
      columnOf[owner] = column;
      column = owner === start ? -1 : before;
    }
  }
  return columnOf;
}

function at(values: Float64Array | Int32Array, index: number): number {
  return values[index] ?? 0;
}
