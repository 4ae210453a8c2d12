import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROLES, type Role } from '@calico/bgp-wire';
import {
  exportLeak,
  importLeak,
  importMark,
  isMarkedOnExport,
  leakText,
} from './only_to_customer.ts';

const REMOTE = 65000;

/** For each own role: plain route in, marked by the peer, marked by another; and the same out. */
const TABLE: Readonly<Record<Role, readonly string[]>> = {
  provider: ['taken', 'refused', 'refused', 'marked', 'passed'],
  'route-server': ['taken', 'refused', 'refused', 'marked', 'passed'],
  'route-server-client': ['marked', 'taken', 'taken', 'passed', 'refused'],
  customer: ['marked', 'taken', 'taken', 'passed', 'refused'],
  peer: ['marked', 'taken', 'refused', 'marked', 'refused'],
};

test('what is taken, marked and passed on in each role (RFC 9234 section 5)', () => {
  for (const own of ROLES) {
    const role = { own, remoteAsn: REMOTE };
    const imported = [undefined, REMOTE, 65001].map((onlyToCustomer) => {
      const attributes = onlyToCustomer === undefined ? {} : { onlyToCustomer };
      if (importLeak(attributes, role) !== undefined) return 'refused';
      const mark = importMark(attributes, role);
      assert.ok(mark === undefined || mark === REMOTE);
      return mark === undefined ? 'taken' : 'marked';
    });
    const plain = isMarkedOnExport(role) ? 'marked' : 'passed';
    const marked = exportLeak({ onlyToCustomer: 65001 }, role) === undefined ? 'passed' : 'refused';
    assert.equal(exportLeak({}, role), undefined);
    assert.deepEqual([...imported, plain, marked], TABLE[own], own);
  }
});

test('a reason has no number that the peer chooses, as reasons are kept for good; who asks gets it', () => {
  const role = { own: 'provider', remoteAsn: REMOTE } as const;
  const all = [1, 2, 3].map((onlyToCustomer) => ({ onlyToCustomer }));
  const reasons = new Set(all.map((attributes) => importLeak(attributes, role) ?? ''));
  assert.equal(reasons.size, 1);
  const [reason = ''] = reasons;
  assert.equal(leakText(reason, { onlyToCustomer: 7 }), 'leaked: told to customers only by AS 7');
  assert.equal(leakText('next hop is this node', { onlyToCustomer: 7 }), 'next hop is this node');
});
