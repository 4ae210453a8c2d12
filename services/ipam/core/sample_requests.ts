// Requests as tests and simulations make them.
import type { AssignRequest } from './programs/auto_assign.ts';

/** Asks for `count` IPv4 addresses for a workload. */
export function assignRequest(node: string, handleId: string, count = 1): AssignRequest {
  return {
    node,
    owner: { handleId, secondary: { node } },
    namespace: '',
    use: 'Workload',
    wanted: { 4: { count, pools: [] }, 6: { count: 0, pools: [] } },
    maxBlocks: 0,
  };
}
