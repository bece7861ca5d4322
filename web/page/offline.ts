import { fetchOwn } from '../ownFile.ts';
import type { Answers } from '../protocol.ts';
import { element } from './dom.ts';

/** Keeps the page's files in the browser, and says when all are there. */
export async function keepOffline(started: Promise<Answers['start']>): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  try {
    const registration = await navigator.serviceWorker.register('serviceWorker.js', { type: 'module' });
    const tellNewer = (): void => {
      const isWaiting = registration.waiting !== null && registration.active !== null;
      if (isWaiting) say('A newer version is here; it begins when no tab with this page is open any more.');
    };
    registration.onupdatefound = () => {
      const { installing } = registration;
      installing?.addEventListener('statechange', tellNewer);
    };
    await navigator.serviceWorker.ready;
    // The engine began before its file could be kept.
    await fetchOwn((await started).file);
    say('It works offline from now on.');
    tellNewer();
  } catch {
    // A browser may forbid it, as in a private window: the page then needs the network.
    say('It needs the network: this browser did not keep its files.');
  }
}

function say(text: string): void {
  element('offline').textContent = text;
}
