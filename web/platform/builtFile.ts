/** The thread's module is a part of the bundle. */
export const builtFile = (url: URL): string => url.pathname;
