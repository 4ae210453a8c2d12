/** Text or bytes that are no address or prefix. The message quotes the input and says what would be. */
export class IpError extends Error {
  override readonly name = 'IpError';
}
