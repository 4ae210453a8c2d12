// Coordination through NATS JetStream: resources from the relay to every node, reports from nodes.
export type {
  Bus,
  PublishOptions,
  ResourceMessage,
  StreamContents,
  StreamedResource,
} from './bus.ts';
export { type ConnectBusOptions, connectBus } from './connect_bus.ts';
export { BusUnavailable, MessageError, SequenceConflict, SubjectError } from './errors.ts';
export { MemoryBroker } from './memory_broker.ts';
export type { NodeReport, NodeReportInit } from './node_report.ts';
export { type BusLogger, type PublishAck, STREAMS } from './ports.ts';
export { type Answerer, NodeRefused } from './questions.ts';
export type { ResourceState, SyncedMarker } from './resource_message.ts';
export {
  type NodeSubject,
  type NodeTopic,
  parseResourceSubject,
  type ResourceSubject,
  resourceSubject,
} from './subjects.ts';
export { untilConnected } from './until_connected.ts';
