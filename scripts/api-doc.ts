/** `npm run docs:api`: writes docs/api.md, every name that the package exports, with its type as the compiler sees it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { API, type Checker, type Symbol as Named, SymbolFlags, type Type } from 'typescript/unstable/sync';

const ROOT = join(import.meta.dirname, '..');

const NO_TRUNCATION = 1;
const EXPAND_ALIAS = 1 << 23;

/** The text of docs/api.md. */
export function apiDoc(): string {
  const api = new API();
  try {
    const [project] = api.updateSnapshot({ openProjects: [join(ROOT, 'tsconfig.json')] }).getProjects();
    const file = project?.program.getSourceFile(join(ROOT, 'src/index.ts'));
    const door = file && project?.checker.getSymbolAtLocation(file);
    if (!door || !project) throw new Error('src/index.ts is not there');
    return describe(project.checker, door);
  } finally {
    api.close();
  }
}

function describe(checker: Checker, door: Named): string {
  const exported = checker
    .getExportsOfModule(door)
    .map((symbol) => ({
      name: symbol.name,
      symbol: symbol.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const values = exported.filter(({ symbol }) => symbol.flags & SymbolFlags.Value);
  const types = exported.filter(({ symbol }) => !(symbol.flags & SymbolFlags.Value));
  return `# The exports of the package

These are all names that \`import … from 'lossgraft'\` gives, with their types as the compiler sees them. \`npm run docs:api\`
generates this page. [Use it from TypeScript](how-to/typescript.md) shows how to use them, and your editor shows a
description of each option.

## Functions and values

\`\`\`ts
${values.map(({ name, symbol }) => valueLine(checker, name, symbol)).join('\n')}
\`\`\`

## Types

\`\`\`ts
${types.map(({ name, symbol }) => typeLines(checker, name, symbol)).join('\n')}
\`\`\`
`;
}

function valueLine(checker: Checker, name: string, symbol: Named): string {
  const type = checker.getTypeOfSymbol(symbol);
  return `${name}: ${type ? shown(checker, type) : 'unknown'}`;
}

/** An object's properties line by line; of a union of objects those of all. Anything else as it is written. */
function typeLines(checker: Checker, name: string, symbol: Named): string {
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  const members = objectsIn(checker, type);
  const properties = members.flatMap((member) => checker.getPropertiesOfType(member).map((property) => property));
  if (properties.length === 0) return `${name}: ${checker.typeToString(type, undefined, NO_TRUNCATION | EXPAND_ALIAS)}`;
  const lines = new Map<string, Set<string>>();
  for (const property of properties) {
    const key = `${property.name.replace(/^__@(\w+)@\d+$/, '[Symbol.$1]')}${property.flags & SymbolFlags.Optional ? '?' : ''}`;
    const own = checker.getTypeOfSymbol(property);
    lines.set(key, (lines.get(key) ?? new Set()).add(own ? shown(checker, own) : 'unknown'));
  }
  const sorted = [...lines].map(([key, types]) => `  ${key}: ${[...types].sort().join(' | ')}`).sort();
  return `${name}: {\n${sorted.join('\n')}\n}`;
}

/** A list is no object here. */
function objectsIn(checker: Checker, type: Type): readonly Type[] {
  if (!type.isUnionType()) return type.isObjectType() || type.isIntersectionType() ? [type] : [];
  const parts = type.getTypes();
  const isObject = (part: Type): boolean =>
    (part.isObjectType() || part.isIntersectionType()) && !checker.typeToString(part).endsWith('[]');
  return parts.every(isObject) ? parts : [];
}

function shown(checker: Checker, type: Type): string {
  return checker.typeToString(type, undefined, NO_TRUNCATION).replaceAll('<ArrayBufferLike>', '');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(ROOT, 'docs/api.md'), apiDoc());
