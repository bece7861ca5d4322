/** The elements of index.html, and new ones. Text is always set as text. */

export function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no #${id}`);
  return found;
}

function typed<E extends HTMLElement>(id: string, type: { new (): E }): E {
  const found = element(id);
  if (found instanceof type) return found;
  throw new Error(`#${id} is no ${type.name}`);
}

export const button = (id: string): HTMLButtonElement => typed(id, HTMLButtonElement);
export const dialog = (id: string): HTMLDialogElement => typed(id, HTMLDialogElement);
export const fileInput = (id: string): HTMLInputElement => typed(id, HTMLInputElement);

/** What a field holds; empty for its default. */
export function fieldValue(id: string): string {
  const found = element(id);
  return found instanceof HTMLInputElement || found instanceof HTMLSelectElement ? found.value.trim() : '';
}

export function setField(id: string, value: string): void {
  const found = element(id);
  if (found instanceof HTMLInputElement || found instanceof HTMLSelectElement) found.value = value;
}

type Child = Node | string | number;

/** A new element with a class and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.append(...children.map(String_));
  return made;
}

const String_ = (child: Child): Node | string => (typeof child === 'number' ? String(child) : child);

/** Pairs of a term and what is said of it; what has nothing is left out. */
export function factsOf(pairs: readonly (readonly [string, Child | undefined])[]): HTMLDListElement {
  const given = pairs.filter((pair): pair is readonly [string, Child] => pair[1] !== undefined && pair[1] !== '');
  return make('dl', 'facts', ...given.flatMap(([term, said]) => [make('dt', '', term), make('dd', '', said)]));
}

export function listOf(texts: readonly string[]): HTMLUListElement {
  return make('ul', 'quiet', ...texts.map((text) => make('li', '', text)));
}

const SVG = 'http://www.w3.org/2000/svg';

export function svg(
  tag: string,
  attributes: Readonly<Record<string, string | number>>,
  ...children: readonly (Node | string)[]
): SVGElement {
  const made = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

/** Hands a file to the user. */
export function download(name: string, bytes: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  // The browser has the address by then; the memory is given back.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
