/** Of node:util, what packages in the bundle call. */
export function promisify<T>(
  act: (...given: readonly unknown[]) => void,
): (...given: readonly unknown[]) => Promise<T> {
  return (...given) =>
    new Promise((resolve, reject) => {
      act(...given, (error: unknown, value: T) => (error ? reject(error) : resolve(value)));
    });
}

export function inherits(heir: { prototype: object }, base: { prototype: object }): void {
  Object.setPrototypeOf(heir.prototype, base.prototype);
}

export const inspect = String;
export const format = (...parts: readonly unknown[]): string => parts.join(' ');
