// Documents and calls that the tests share.
import assert from 'node:assert/strict';
import { RpcError } from '@calico/rpc';

export type Document = {
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>> & { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
};

export function document(kind: string, name: string, spec: object, metadata: object = {}): string {
  const apiVersion = 'projectcalico.org/v3';
  return JSON.stringify({ apiVersion, kind, metadata: { name, ...metadata }, spec });
}

export function pool(name: string, cidr: string, spec: object = {}): { json: string } {
  return { json: document('IPPool', name, { cidr, ...spec }) };
}

export function parsed(resource: { readonly json: string } | undefined): Document {
  assert.ok(resource, 'the answer holds a resource');
  return JSON.parse(resource.json) as Document;
}

/** The call fails with this code and a message that matches. */
export async function refuses(call: Promise<unknown>, code: string, message = /./): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    assert.ok(error instanceof RpcError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}
