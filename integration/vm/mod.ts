export { type MachineRun, runInVm, whyNoMachine } from './run_in_vm.ts';
