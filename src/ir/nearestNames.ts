import leven from 'leven';

/** Up to three of `names` nearest to `name` by edit distance. */
export function nearestNames(name: string, names: Iterable<string>): string[] {
  const scored: [number, string][] = [];
  for (const candidate of names) {
    const contained = candidate.includes(name) || name.includes(candidate);
    const distance = contained ? 1.5 : leven(name.slice(0, 64), candidate.slice(0, 64));
    scored.push([distance, candidate]);
  }
  return scored
    .sort((a, b) => a[0] - b[0])
    .slice(0, 3)
    .map(([, candidate]) => candidate);
}
