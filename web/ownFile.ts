import { LossgraftError } from '../src/catalogue.ts';

/** The address of a file of the page. Its scripts are in the folder `parts`. */
export function ownUrl(name: string): URL {
  return new URL(`../${name}`, import.meta.url);
}

/** @throws LossgraftError `page-file` if neither the browser nor the server has it. */
export async function fetchOwn(name: string): Promise<Response> {
  const url = ownUrl(name);
  let found: string;
  try {
    const response = await fetch(url);
    if (response.ok) return response;
    found = `${response.status} ${response.statusText}`;
  } catch (error) {
    found = String(error);
  }
  throw new LossgraftError({
    code: 'page-file',
    where: url.pathname,
    expected: 'a file of this page',
    found,
    hint: 'Reload the page. If it is offline, visit it once with a network',
  });
}
