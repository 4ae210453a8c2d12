import { CniError, ErrorCode } from './cni_error.ts';

/** Oldest first. */
export const SUPPORTED_VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type CniVersion = (typeof SUPPORTED_VERSIONS)[number];
export const NEWEST_VERSION: CniVersion = '1.1.0';

export function isSupported(version: unknown): version is CniVersion {
  return SUPPORTED_VERSIONS.some((supported) => supported === version);
}

/** Whether `version` is `since` or newer. */
export function isAtLeast(version: CniVersion, since: CniVersion): boolean {
  return SUPPORTED_VERSIONS.indexOf(version) >= SUPPORTED_VERSIONS.indexOf(since);
}

/** Throws CniError: incompatible version. */
export function requireVersion(version: unknown): CniVersion {
  if (isSupported(version)) return version;
  const state = version === undefined ? 'it is missing' : 'it is not supported';
  const value = version === undefined ? '' : ` ${JSON.stringify(version)}`;
  throw new CniError(
    ErrorCode.IncompatibleVersion,
    `Cannot use cniVersion${value}: ${state}; supported are ${SUPPORTED_VERSIONS.join(', ')}`,
  );
}
