// A look-up whose verdict map is asked by the class that another map has for the packet. Elements of a map that lead to no
// chain cost nothing when the kernel checks for loops: it follows each element of every verdict map, at each commit after
// which an element or a rule leads somewhere else.
import type { MessageWriter } from '@calico/netlink';
import { writeData } from './element_messages.ts';
import { loadOf, writeExpression } from './field_loads.ts';
import { hostOrder } from './key_bytes.ts';
import type { Statement } from './ruleset.ts';
import { NFT_CMP } from './uapi.ts';

const NFTA_CMP = { SREG: 1, OP: 2, DATA: 3 } as const;
const NFTA_LOOKUP = { SET: 1, SREG: 2, DREG: 3 } as const;
const NFTA_IMMEDIATE = { DREG: 1, DATA: 2 } as const;
const VERDICT_REGISTER = 0;
/** NFT_REG_1 gets the data of the class map: a mark of four bytes, then in NFT_REG32_01 and on the class. */
const DATA_REGISTER = 1;
const CLASS_REGISTER = 9;
/** NFT_REG_3, which the data does not reach. */
const KEY_REGISTER = 3;
const CLASS_BYTES = 16;

/**
 * libnftables (1.0.6 to 1.1.3) gives up the process when it lists a look-up by a register that another look-up has filled
 * ("consumed > 0"), since it does not know the length of what is there. It knows that of a constant: so the register of the
 * class gets one first, which the data of the class map replaces. Only the comparison makes it list the name of that map.
 */
export function writeClassLookup(
  writer: MessageWriter,
  { field, classes, map }: Extract<Statement, { kind: 'class-verdict-map' }>,
): void {
  writeExpression(writer, 'immediate', (into) => {
    into.attributeU32be(NFTA_IMMEDIATE.DREG, CLASS_REGISTER);
    writeData(into, NFTA_IMMEDIATE.DATA, new Uint8Array(CLASS_BYTES));
  });
  const load = loadOf(field);
  load.write(writer, KEY_REGISTER, load.length);
  writeLookup(writer, classes, KEY_REGISTER, DATA_REGISTER);
  writeExpression(writer, 'cmp', (into) => {
    into.attributeU32be(NFTA_CMP.SREG, DATA_REGISTER).attributeU32be(NFTA_CMP.OP, NFT_CMP.NEQ);
    writeData(into, NFTA_CMP.DATA, hostOrder(0));
  });
  writeLookup(writer, map, CLASS_REGISTER, VERDICT_REGISTER);
}

function writeLookup(writer: MessageWriter, set: string, source: number, to: number): void {
  writeExpression(writer, 'lookup', (into) => {
    into.attributeString(NFTA_LOOKUP.SET, set).attributeU32be(NFTA_LOOKUP.SREG, source);
    into.attributeU32be(NFTA_LOOKUP.DREG, to);
  });
}
