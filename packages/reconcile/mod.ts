export { Backoff, type BackoffOptions } from './backoff.ts';
export { apply, type Change, diff, type Failure, type Target } from './reconcile.ts';
export { type Desired, type LoopOptions, ReconcileLoop, type Result } from './reconcile_loop.ts';
