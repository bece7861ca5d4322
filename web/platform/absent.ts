/** What only Node has: other processes, servers, sockets. Whoever asks for it in a page is told so. */
function absent(what: string): () => never {
  return () => {
    throw new Error(`a page has no ${what}: use lossgraft on the command line for this`);
  };
}

export const createRequire = (): (() => never) => absent('packages of Node');
export const createServer = absent('server');
export const execFile = absent('programs');
export const fork = absent('programs');
export const spawn = absent('programs');
export const Socket = absent('sockets');
