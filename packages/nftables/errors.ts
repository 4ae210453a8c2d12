/** nftables refused a command, or answered what cannot be understood. */
export class NftablesError extends Error {
  override name = 'NftablesError';
}
