// Errors as the CNI specification knows them: section "Error", and section 2 "STATUS".

export const ErrorCode = {
  IncompatibleVersion: 1,
  UnsupportedField: 2,
  UnknownContainer: 3,
  InvalidEnvironment: 4,
  IoFailure: 5,
  UndecodableContent: 6,
  InvalidConfig: 7,
  TryAgainLater: 11,
  /** STATUS: ADD cannot succeed now. */
  NotAvailable: 50,
  /** STATUS: the same, and containers that are there may have limited connectivity. */
  LimitedConnectivity: 51,
  // From 100 on: ours.
  /** The node or the container is not in a state that allows it: namespace gone, name taken, kernel feature missing. */
  FailedPrecondition: 100,
  NoAddress: 101,
  /** CHECK: the container's network is not as ADD left it. */
  Differs: 102,
  /** Felix or this plugin failed in a way that has no other name. */
  Internal: 103,
  /** No Node that can run the plugin. */
  NoRuntime: 104,
} as const;

export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** What the runtime is told: `message` is one sentence, `details` may say more. */
export class CniError extends Error {
  readonly code: ErrorCode;
  readonly details: string;

  constructor(code: ErrorCode, message: string, details = '', options?: ErrorOptions) {
    super(message, options);
    this.name = 'CniError';
    this.code = code;
    this.details = details;
  }
}

/** The JSON for standard output. */
export function errorJson(error: unknown, cniVersion: string): string {
  const { code, message, details } = cniErrorOf(error);
  return `${JSON.stringify({ cniVersion, code, msg: message, ...(details && { details }) })}\n`;
}

export function cniErrorOf(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const details = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new CniError(ErrorCode.Internal, 'Cannot go on: the plugin failed', details);
}
