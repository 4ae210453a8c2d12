export { CniError, ErrorCode } from './cni_error.ts';
export { FelixClient } from './grpc_client.ts';
export { validateCniResult } from './result_schema.ts';
export { type CniVersion, SUPPORTED_VERSIONS } from './version.ts';
