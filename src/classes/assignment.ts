/**
 * Assigns each row a column of its own with the smallest total cost: shortest augmenting paths (Jonker and Volgenant 1987), O(m²n).
 *
 * @param cost m rows of n finite numbers, m ≤ n.
 * @returns the column of each row.
 */
export function assign(cost: readonly Float64Array[], n: number): Int32Array {
  const assignment = new Assignment(cost, n);
  for (const row of cost.keys()) assignment.insert(row);
  return assignment.columnOf;
}

class Assignment {
  readonly #cost: readonly Float64Array[];
  readonly #rowOf: Int32Array;
  readonly columnOf: Int32Array;
  readonly #rowPrice: Float64Array;
  readonly #columnPrice: Float64Array;
  /** In the current search: the distance of each column, and the row before it on the path. */
  readonly #distance: Float64Array;
  readonly #from: Int32Array;
  readonly #isDone: Uint8Array;

  constructor(cost: readonly Float64Array[], n: number) {
    this.#cost = cost;
    this.columnOf = new Int32Array(cost.length).fill(-1);
    this.#rowOf = new Int32Array(n).fill(-1);
    this.#rowPrice = new Float64Array(cost.length);
    this.#columnPrice = new Float64Array(n);
    this.#distance = new Float64Array(n);
    this.#from = new Int32Array(n);
    this.#isDone = new Uint8Array(n);
  }

  /** Adds a row; rows before it may move. */
  insert(start: number): void {
    this.#distance.fill(Number.POSITIVE_INFINITY);
    this.#isDone.fill(0);
    let row = start;
    let reached = 0;
    for (;;) {
      const column = this.#nearestFrom(row, reached);
      reached = at(this.#distance, column);
      this.#isDone[column] = 1;
      const owner = at(this.#rowOf, column);
      if (owner < 0) {
        this.#reprice(start, column, reached);
        this.#shift(start, column);
        return;
      }
      row = owner;
    }
  }

  /** Extends all paths by the edges of a row. @returns the nearest column that is not done. */
  #nearestFrom(row: number, reached: number): number {
    const [distance, from, isDone, columnPrice] = [this.#distance, this.#from, this.#isDone, this.#columnPrice];
    const costs = this.#cost[row] ?? distance;
    const price = at(this.#rowPrice, row);
    let nearest = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let column = 0; column < distance.length; column++) {
      if (isDone[column]) continue;
      const length = reached + (at(costs, column) - price - at(columnPrice, column));
      if (length < at(distance, column)) {
        distance[column] = length;
        from[column] = row;
      }
      if (at(distance, column) < least) {
        nearest = column;
        least = at(distance, column);
      }
    }
    return nearest;
  }

  #reprice(start: number, end: number, length: number): void {
    this.#rowPrice[start] = at(this.#rowPrice, start) + length;
    for (const [column, isDone] of this.#isDone.entries()) {
      if (!isDone || column === end) continue;
      const gained = length - at(this.#distance, column);
      const owner = at(this.#rowOf, column);
      this.#columnPrice[column] = at(this.#columnPrice, column) - gained;
      this.#rowPrice[owner] = at(this.#rowPrice, owner) + gained;
    }
  }

  /** Moves the rows on the path to `end`, each to the next column. */
  #shift(start: number, end: number): void {
    for (let column = end; column >= 0; ) {
      const owner = at(this.#from, column);
      const before = at(this.columnOf, owner);
      this.#rowOf[column] = owner;
      this.columnOf[owner] = column;
      column = owner === start ? -1 : before;
    }
  }
}

function at(values: Float64Array | Int32Array, index: number): number {
  return values[index] ?? 0;
}
