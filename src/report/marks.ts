import { Html } from './html.ts';

const mark = (kind: string, label: string, path: string): Html =>
  new Html(`<svg class="mark ${kind}" role="img" aria-label="${label}" viewBox="0 0 16 16"><path d="${path}"/></svg>`);

/** Drawn, because not every font has these characters. */
export const ARROW: Html = mark('to', 'to', 'M1 8H14M9.5 3.5L14 8L9.5 12.5');
export const RIGHT: Html = mark('ok', 'right', 'M2 9L6 13L14 3');
export const WRONG: Html = mark('bad', 'wrong', 'M3 3L13 13M13 3L3 13');
