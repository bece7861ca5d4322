/** Keeps the page's own files, so that it works without a network, and from home screens. */

declare const self: ServiceWorkerGlobalScope;

/** A file's name, and the digest that it must have. */
type Listed = readonly [name: string, integrity: string];

/** Of this build: set by build.ts. */
declare const BUILD: string;
declare const FILES: readonly Listed[];
/** WebAssembly, of which a device takes one file of two: kept when it is first asked for. */
declare const RUNTIMES: readonly Listed[];

/** Another copy of the page, on the same host, has its own. */
const OURS = `lossgraft ${self.registration.scope} `;
const CACHE = `${OURS}${BUILD}`;

/*
 * No `skipWaiting`: a page that is open goes on with the files that it began with, and this build takes over when no page is open any more. A
 * file that is not of this build fails the installation, which the browser tries again later.
 */
self.addEventListener('install', (event) => {
  event.waitUntil(keepAll());
});

async function keepAll(): Promise<void> {
  const cache = await caches.open(CACHE);
  const kept = (await Promise.all((await former()).map(async (name) => (await caches.open(name)).keys()))).flat();
  const isUsed = ([name]: Listed): boolean => kept.some(({ url }) => stem(url) === stem(urlOf(name)));
  const wanted = [...FILES, ...RUNTIMES.filter(isUsed)];
  // Not out of the browser's own cache, which may have older ones.
  await cache.addAll(wanted.map(([name, integrity]) => new Request(name, { integrity, cache: 'reload' })));
}

const urlOf = (name: string): string => new URL(name, self.registration.scope).href;

/** An address without its digest. */
const stem = (url: string): string => url.replace(/-[\da-f]{8}(?=\.wasm$)/, '');

async function former(): Promise<string[]> {
  return (await caches.keys()).filter((name) => name.startsWith(OURS) && name !== CACHE);
}

self.addEventListener('activate', (event) => {
  event.waitUntil(forgetFormer().then(() => self.clients.claim()));
});

async function forgetFormer(): Promise<void> {
  await Promise.all((await former()).map((name) => caches.delete(name)));
}

self.addEventListener('fetch', (event) => {
  if (event.request.method === 'GET' && event.request.url.startsWith(self.registration.scope))
    event.respondWith(answer(event.request));
});

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true });
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok && RUNTIMES.some(([name]) => urlOf(name) === request.url)) await cache.put(request, response.clone());
  return response;
}
