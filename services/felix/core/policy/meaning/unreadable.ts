import { IpError } from '@calico/ip';
import { SelectorError } from '@calico/selector';

/** What `read` answers; undefined when a resource holds what its validation would refuse. */
export function unlessUnreadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (cause) {
    const isBadInput =
      cause instanceof SelectorError || cause instanceof IpError || cause instanceof RangeError;
    if (!isBadInput) throw cause;
    return undefined;
  }
}
