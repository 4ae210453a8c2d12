export * as commonSettings from './common_settings.ts';
export type { Host, StopSignal } from './host.ts';
export { type EtcdAccess, etcdAccess, type NatsAccess, natsAccess } from './outside_access.ts';
export { EXIT, runService, type Service } from './run_service.ts';
export type { BaseConfig, ServiceContext } from './service_context.ts';
export {
  type Config,
  ConfigError,
  describeSettings,
  type Environment,
  flag,
  list,
  readSettings,
  type Setting,
  type Settings,
  setting,
} from './settings.ts';
export { VERSION } from './version.ts';
export { watchDependency } from './watch_dependency.ts';
