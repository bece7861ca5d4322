import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { LossgraftError, option } from '../errors.ts';
import { LIVE_POLICY } from './livePage.ts';
import { type LiveParts, renderLive, renderLiveParts } from './page.ts';
import type { Report } from './report.ts';

/** A run's page while it trains. */
export interface LiveReport {
  /** On this machine only. */
  readonly url: string;
  /** What a browser gets from now on; `report` is requested only where one looks at the page. */
  show(report: () => Report): void;
  /** A line on how far the run is. */
  progress(text: string): void;
  /** The last page that browsers get, if there is one, and no further requests. */
  close(report?: Report): Promise<void>;
}

/** No other machine reaches it. */
const HOST = '127.0.0.1';
/** Names under which a browser asks for it: a page elsewhere that leads a name of its own here is refused. */
const NAMES = [HOST, 'localhost'];
/** Browsers that still read when the run ends. */
const PATIENCE = 1000;

/** @param port 0: any that is free. @throws LossgraftError `serve-failed` for a port that is taken. */
export async function serveReport(port: number): Promise<LiveReport> {
  const live = new Live();
  const server = createServer((request, response) => live.answer(request, response));
  const url = `http://${HOST}:${await listen(server, port)}/`;
  return {
    url,
    show: (report) => live.show(report),
    progress: (text) => live.progress(text),
    close: async (report) => {
      live.end(report);
      await closed(server);
    },
  };
}

async function listen(server: Server, port: number): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, HOST, resolve);
    });
  } catch (cause) {
    throw new LossgraftError({
      code: 'serve-failed',
      where: `${HOST}:${port}`,
      expected: 'a port that is free',
      found: cause instanceof Error ? cause.message : String(cause),
      hint: `Give another port, or none, and a free one is taken: ${option('serve')}`,
      cause,
    });
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

async function closed(server: Server): Promise<void> {
  const impatience = setTimeout(() => server.closeAllConnections(), PATIENCE);
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeIdleConnections();
  });
  clearTimeout(impatience);
}

/** What is shown, and who looks. */
class Live {
  readonly #watchers = new Set<ServerResponse>();
  #report: (() => Report) | undefined;
  #text = '';

  show(report: () => Report): void {
    this.#report = report;
    if (this.#watchers.size > 0) this.#sendPage(report);
  }

  progress(text: string): void {
    this.#text = text;
    this.#send('progress', text);
  }

  end(report: Report | undefined): void {
    if (report && this.#watchers.size > 0) this.#sendPage(() => report);
    this.#send('end', '');
    for (const watcher of this.#watchers) watcher.end();
    this.#watchers.clear();
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const port = request.socket.localPort;
    const isOurs = NAMES.some((name) => request.headers.host === `${name}:${port}`);
    if (!isOurs) refuse(response, 403, 'This page is served to this machine only.');
    else if (request.method !== 'GET') refuse(response, 405, 'There is nothing to change here.');
    else if (request.url === '/') this.#page(response);
    else if (request.url === '/events') this.#watch(response);
    else refuse(response, 404, 'There is no such page.');
  }

  #page(response: ServerResponse): void {
    const report = this.#report;
    const page = report && this.#drawn(() => renderLive(report(), this.#text));
    if (page === undefined) {
      refuse(response, 503, this.#text);
      return;
    }
    response.writeHead(200, { ...HEADERS, 'Content-Type': 'text/html; charset=utf-8' });
    response.end(page);
  }

  #watch(response: ServerResponse): void {
    response.writeHead(200, { ...HEADERS, 'Content-Type': 'text/event-stream' });
    response.on('close', () => this.#watchers.delete(response));
    this.#watchers.add(response);
    // What came between the page and this.
    if (this.#report) this.#sendPage(this.#report);
    this.#send('progress', this.#text);
  }

  #sendPage(report: () => Report): void {
    const parts = this.#drawn(() => renderLiveParts(report()));
    if (parts) this.#send('page', parts);
  }

  /** A page that cannot be drawn does not end the run. */
  #drawn<T>(draw: () => T): T | undefined {
    try {
      return draw();
    } catch (error) {
      this.progress(`The page cannot be drawn: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  #send(event: string, data: LiveParts | string): void {
    const message = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const watcher of this.#watchers) watcher.write(message);
  }
}

/** Others get neither the page nor a frame of it, and nothing is kept. */
const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': `${LIVE_POLICY}; frame-ancestors 'none'`,
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
} as const;

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { ...HEADERS, 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}
