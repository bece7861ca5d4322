/** The cost of each prediction: rows are true classes, columns are predictions. */
export type CostMatrix = readonly (readonly number[])[];

/** A square matrix of finite numbers. */
export function isCostMatrix(given: unknown): given is CostMatrix {
  if (!Array.isArray(given) || given.length === 0) return false;
  return given.every(
    (row: unknown) => Array.isArray(row) && row.length === given.length && row.every((cost) => Number.isFinite(cost)),
  );
}
