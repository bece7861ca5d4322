import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { Html } from './html.ts';

/** Three charts fit beside one another on a wide screen, one fills a phone: so texts are about equally large on both. */
export const WIDTH = 360;

const { document } = parseHTML('<!doctype html><html><body></body></html>');

/** Draws a chart to SVG. Colours are the page's variables, so that they follow its colour scheme. @param label for screen readers. */
export function draw(label: string, options: Plot.PlotOptions): Html {
  const svg = Plot.plot({
    document,
    width: WIDTH,
    className: 'plot',
    ...(options.margin === undefined ? { marginBottom: 38 } : {}),
    ...options,
  });
  svg.querySelector('style')?.remove();
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  return new Html(svg.outerHTML);
}
