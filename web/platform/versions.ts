import { env } from 'onnxruntime-common';
import { VERSION } from '../../src/catalogue.ts';

/** What a run depends on, in a page. */
export function versions(): Readonly<Record<string, string>> {
  return {
    lossgraft: VERSION,
    'onnxruntime-web': env.versions.web ?? env.versions.common,
    browser: navigator.userAgent,
  };
}
