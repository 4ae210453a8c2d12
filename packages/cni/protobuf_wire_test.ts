import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import { FelixService, GetNodeInfoResponseSchema } from '@calico/proto/felix/v1/felix';
import {
  type Arbitrary,
  array,
  boolean,
  assert as check,
  dictionary,
  integer,
  property,
  record,
  string,
  uint8Array,
} from 'fast-check';
import { FELIX_SERVICE, METHODS, type MethodName } from './felix_contract.ts';
import { decodeMessage, encodeMessage, type Field, type Message } from './protobuf_wire.ts';

const [ADD_REQUEST, ADD_RESPONSE]: readonly [Message, Message] = METHODS.AddWorkload;
const AddWorkload = FelixService.method.addWorkload;

const SHAPES: Readonly<Record<string, ScalarType>> = {
  string: ScalarType.STRING,
  strings: ScalarType.STRING,
  uint32: ScalarType.UINT32,
  uint64: ScalarType.UINT64,
  bool: ScalarType.BOOL,
};

function assertSame(message: Message, descriptor: DescMessage, isComplete = true): void {
  for (const [name, field] of Object.entries(message)) {
    const found = descriptor.fields.find(({ localName }) => localName === name);
    assert.ok(found, `${descriptor.typeName} has a field ${name}`);
    assertSameField(field, found);
  }
  if (!isComplete) return;
  const names = descriptor.fields.map(({ localName }) => localName);
  assert.deepEqual(Object.keys(message).toSorted(), names.toSorted(), descriptor.typeName);
}

function assertSameField(field: Field, found: DescField): void {
  const [number, shape] = field;
  assert.equal(found.number, number, found.toString());
  if (shape === 'messages') {
    assert.ok(found.fieldKind === 'list' && found.listKind === 'message');
    assertSame(field[2], found.message);
  } else if (shape === 'map') {
    assert.ok(found.fieldKind === 'map' && found.mapKind === 'scalar');
    assert.deepEqual([found.mapKey, found.scalar], [ScalarType.STRING, ScalarType.STRING]);
  } else {
    assert.equal(found.fieldKind, shape === 'strings' ? 'list' : 'scalar', found.toString());
    assert.equal(found.scalar, SHAPES[shape], found.toString());
  }
}

test('the contract is that of the generated code, field by field', () => {
  assert.equal(FelixService.typeName, FELIX_SERVICE);
  for (const name of Object.keys(METHODS) as MethodName[]) {
    const method = FelixService.methods.find((candidate) => candidate.name === name);
    assert.ok(method, `${name} exists`);
    const [request, response]: readonly [Message, Message] = METHODS[name];
    assertSame(request, method.input);
    // Of GetNodeInfo only the node's name is read.
    assertSame(response, method.output, name !== 'GetNodeInfo');
  }
});

const texts = array(string({ unit: 'binary', maxLength: 20 }), { maxLength: 4 });
const plain = <T extends object>(model: { [K in keyof T]: Arbitrary<T[K]> }): Arbitrary<T> =>
  record(model, { noNullPrototype: true }) as Arbitrary<T>;
const word = string({ unit: 'binary', maxLength: 40 });
const uint32 = integer({ min: 0, max: 0xffffffff });

test('what is encoded the generated code reads, for any values', () => {
  const requests = plain({
    containerId: word,
    netns: word,
    labels: dictionary(word, word, { noNullPrototype: true }),
    ipv4Pools: texts,
    mtu: uint32,
    ports: array(plain({ name: word, protocol: word, port: uint32 }), { maxLength: 3 }),
    assignIpv6: boolean(),
  });
  check(
    property(requests, (values) => {
      const bytes = encodeMessage(ADD_REQUEST, values);
      const read = fromBinary(AddWorkload.input, bytes);
      const wanted = create(
        AddWorkload.input,
        values as MessageInitShape<typeof AddWorkload.input>,
      );
      assert.deepEqual(read, wanted);
      assert.deepEqual(decodeMessage(ADD_REQUEST, bytes)['ports'], values.ports);
    }),
    { numRuns: 2000 },
  );
});

test('what the generated code writes is decoded, with defaults for what is absent', () => {
  const responses = plain({
    hostInterface: word,
    mtu: uint32,
    addresses: texts,
    routes: array(plain({ destination: word, gateway: word }), { maxLength: 3 }),
  });
  check(
    property(responses, (values) => {
      const bytes = toBinary(AddWorkload.output, create(AddWorkload.output, values));
      assert.deepEqual(decodeMessage(ADD_RESPONSE, bytes), {
        hostMac: '',
        containerMac: '',
        ...values,
      });
    }),
    { numRuns: 2000 },
  );
});

test('a byte order mark is part of the text', () => {
  const bytes = encodeMessage(ADD_RESPONSE, { hostMac: '\ufeffab' });
  assert.equal(decodeMessage(ADD_RESPONSE, bytes)['hostMac'], '\ufeffab');
});

test('fields that are not known are skipped', () => {
  const bytes = toBinary(
    GetNodeInfoResponseSchema,
    create(GetNodeInfoResponseSchema, {
      node: 'k8s-node02',
      version: '1',
      appliedRevision: 2n ** 63n,
      missingFeatures: ['ipip'],
    }),
  );
  assert.deepEqual(decodeMessage(METHODS.GetNodeInfo[1], bytes), { node: 'k8s-node02' });
});

test('arbitrary bytes decode or throw RangeError', () => {
  check(
    property(uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        decodeMessage(ADD_RESPONSE, bytes);
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }),
    { numRuns: 20_000 },
  );
});
