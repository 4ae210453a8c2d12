export { type Icmp6Options, Icmp6Socket } from './icmp6_socket.ts';
export type { Datagram } from './inbox.ts';
export { Poller } from './poller.ts';
export { type UdpOptions, UdpSocket } from './udp_socket.ts';
