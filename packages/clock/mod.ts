export type { CancelTimer, Clock } from './clock.ts';
export { FakeClock } from './fake_clock.ts';
export { systemClock } from './system_clock.ts';
