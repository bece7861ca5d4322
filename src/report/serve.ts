import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { LossgraftError, option } from '../errors.ts';
import { LIVE_POLICY } from './livePage.ts';
import { type LiveParts, renderLive, renderLiveParts } from './page.ts';
import type { Report } from './report.ts';

/** A run's page while it trains. */
export interface LiveReport {
  /** On this machine only. */
  readonly url: string;
  /** Updates what browsers get; `report` is called only if one views the page. */
  show(report: () => Report): void;
  /** A line on how far the run is. */
  progress(text: string): void;
  /** Serves the last page, if there is one, and stops. */
  close(report?: Report): Promise<void>;
}

/** No other machine reaches it. */
const HOST = '127.0.0.1';
/** The host names it answers to, which defends against DNS rebinding. */
const NAMES = [HOST, 'localhost'];
/** Browsers still reading when the run ends. */
const PATIENCE = 1000;

/** @param port 0: any free port. @throws LossgraftError `serve-failed` if the port is taken. */
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

/** The content, and its viewers. */
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
    // The changes since the page was sent.
    if (this.#report) this.#sendPage(this.#report);
    this.#send('progress', this.#text);
  }

  #sendPage(report: () => Report): void {
    const parts = this.#drawn(() => renderLiveParts(report()));
    if (parts) this.#send('page', parts);
  }

  /** A page that cannot be rendered does not end the run. */
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

/** Other origins cannot read or embed the page, and nothing is cached. */
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
