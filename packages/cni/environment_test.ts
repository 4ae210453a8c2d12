import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCniArgs } from './cni_args.ts';
import { CniError, ErrorCode } from './cni_error.ts';
import { readAttachment, readCommand } from './environment.ts';

const GOOD = {
  CNI_CONTAINERID: '4c0ffee',
  CNI_NETNS: '/var/run/netns/x',
  CNI_IFNAME: 'eth0',
} as const;

function refused(work: () => unknown, pattern: RegExp): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof CniError);
    assert.equal(error.code, ErrorCode.InvalidEnvironment);
    assert.match(error.message, pattern);
    return true;
  });
}

test('readCommand() knows the six commands and names what it does not', () => {
  assert.equal(readCommand({ CNI_COMMAND: 'ADD' }), 'ADD');
  assert.equal(readCommand({ CNI_COMMAND: 'GC' }), 'GC');
  refused(() => readCommand({ CNI_COMMAND: 'add' }), /^Cannot use CNI_COMMAND "add": one of ADD/);
  refused(() => readCommand({}), /^Cannot use CNI_COMMAND: it is not set; one of ADD, DEL/);
});

test('readAttachment() takes what a runtime gives', () => {
  assert.deepEqual(readAttachment('ADD', GOOD), {
    containerId: '4c0ffee',
    netns: '/var/run/netns/x',
    interfaceName: 'eth0',
  });
});

test('readAttachment() lets only DEL go without a namespace', () => {
  const without = { ...GOOD, CNI_NETNS: '' };
  assert.equal(readAttachment('DEL', without).netns, '');
  refused(() => readAttachment('ADD', without), /^Cannot use CNI_NETNS: it is not set/);
  refused(() => readAttachment('CHECK', without), /CNI_NETNS/);
  refused(() => readAttachment('DEL', { ...GOOD, CNI_NETNS: 'relative' }), /CNI_NETNS "relative"/);
});

test('readAttachment() refuses names that the kernel or the specification refuses', () => {
  for (const name of ['', '.', '..', 'a/b', 'a:b', 'a b', 'a'.repeat(16), 'ä'.repeat(8)]) {
    refused(() => readAttachment('ADD', { ...GOOD, CNI_IFNAME: name }), /^Cannot use CNI_IFNAME/);
  }
  for (const id of ['', '-a', '.a', 'a/b', 'a b', '../x', 'a'.repeat(254)]) {
    refused(
      () => readAttachment('ADD', { ...GOOD, CNI_CONTAINERID: id }),
      /^Cannot use CNI_CONTAINERID/,
    );
  }
});

test('readCniArgs() reads what Kubernetes runtimes give', () => {
  const text =
    'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=busybox-deploy-5c8bbcc5f7-ddmm9;K8S_POD_INFRA_CONTAINER_ID=4c0ffee;K8S_POD_UID=1-2;X=y=z';
  assert.deepEqual(readCniArgs(text), {
    namespace: 'default',
    pod: 'busybox-deploy-5c8bbcc5f7-ddmm9',
    addresses: [],
  });
  assert.deepEqual(readCniArgs(undefined), { namespace: '', pod: '', addresses: [] });
  assert.deepEqual(readCniArgs('IP=10.1.1.1,10.1.1.2').addresses, ['10.1.1.1', '10.1.1.2']);
});

test('readCniArgs() refuses unknown keys, unless told to ignore them, and wrong values', () => {
  refused(() => readCniArgs('X=1'), /unknown key X; accepted are IgnoreUnknown/);
  refused(() => readCniArgs('IgnoreUnknown=0;X=1'), /unknown key X/);
  refused(() => readCniArgs('novalue'), /KEY=value pairs/);
  refused(() => readCniArgs('=1'), /KEY=value pairs/);
  refused(() => readCniArgs('K8S_POD_NAME=Upper'), /K8S_POD_NAME of CNI_ARGS "Upper"/);
  refused(() => readCniArgs('K8S_POD_NAMESPACE=a.b'), /K8S_POD_NAMESPACE of CNI_ARGS "a.b"/);
});
