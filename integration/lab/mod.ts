export { type Certificate, certificateOf, makeAuthority, makeCertificate } from './certificates.ts';
export { type ExecOptions, exec, execOk, type Result } from './exec.ts';
export { deleteNamespaces, inNamespace, ipBatch, namespacesOf } from './fabric.ts';
export { Lab, type LabOptions } from './lab.ts';
export { compileCache, ManagedProcess } from './managed_process.ts';
export { isolationPolicy, nodesManifest, poolManifest } from './manifests.ts';
export { changesOf, LineMonitor, monitorsOf, untilQuiet } from './monitor.ts';
export { connects, type PingResult, ping } from './ping.ts';
export {
  CNI_NETWORK,
  CNI_VERSION,
  type CniResult,
  type Pod,
  planPod,
  podCall,
  runCni,
} from './pods.ts';
export { nodeDirectories, ROOT, RUNTIMES, type Runtime, runtimeCommand } from './processes.ts';
export { type LabState, readStates } from './state.ts';
export { sweepAbandoned, takeDown } from './sweep.ts';
export { MODES, type Mode, type NodePlan, POOL, planTopology, UPLINK } from './topology.ts';
export { Traffic } from './traffic.ts';
export { eventually, PATIENCE, patient, WAIT_FLAGS } from './wait.ts';
