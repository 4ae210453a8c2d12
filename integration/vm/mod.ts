export { type MachineRun, runInVm } from './run_in_vm.ts';
