export { type Conntrack, openConntrack } from './conntrack.ts';
export {
  type Connection,
  type ConnectionChange,
  type ConnectionTuple,
} from './conntrack_codec.ts';
export { errnoName, NetlinkDecodeError, NetlinkError, systemCallError } from './errors.ts';
export { type BatchFailure, Exchange } from './exchange.ts';
export { systemLibc } from './koffi_libc.ts';
export type { Libc } from './libc.ts';
export { AttributeCursor, type Body, MessageCursor } from './message_reader.ts';
export { MessageWriter } from './message_writer.ts';
export { NetlinkSocket, type SocketOptions } from './netlink_socket.ts';
export { closeNetnsFd, openNetnsFd, withNetns } from './netns.ts';
export {
  interfaceIndex,
  openBatch,
  openMonitor,
  openNetlink,
  openNetlinkIn,
  openNowhere,
  openRouteDump,
} from './open.ts';
export { type RouteTemplate, routeTemplate } from './route_template.ts';
export { SocketWatch, type SocketWatchOptions } from './socket_watch.ts';
export type * from './types.ts';
