export const availableParallelism = (): number => navigator.hardwareConcurrency;
export const cpus = (): readonly { readonly model: string }[] => [{ model: navigator.userAgent }];
export const homedir = (): string => '/home';
export const hostname = (): string => 'page';
export const tmpdir = (): string => '/tmp';
