/** What can tell whether it is connected, and when that changes. */
export type Connecting = {
  readonly connected: boolean;
  onStateChange(callback: (connected: boolean) => void): () => void;
};

/** Resolves when it is connected; rejects with the signal's reason. */
export function untilConnected(source: Connecting, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    if (source.connected) return resolve();
    const end = (): void => {
      unsubscribe();
      signal.removeEventListener('abort', abort);
    };
    const abort = (): void => {
      end();
      reject(signal.reason);
    };
    const unsubscribe = source.onStateChange((connected) => {
      if (!connected) return;
      end();
      resolve();
    });
    signal.addEventListener('abort', abort, { once: true });
  });
}
