/** What WebGPU is here; `null` where the browser gives none. */
export async function adapterHere(): Promise<GPUAdapter | null> {
  try {
    return (await navigator.gpu?.requestAdapter()) ?? null;
  } catch {
    return null;
  }
}

/** The adapter, as far as the browser names it. */
export async function adapterName(): Promise<string> {
  const { vendor = '', architecture = '', description = '' } = (await adapterHere())?.info ?? {};
  return description || [vendor, architecture].filter((part) => part !== '').join(' ') || 'an adapter without a name';
}
