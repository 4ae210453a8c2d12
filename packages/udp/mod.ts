export { type Icmp6Options, Icmp6Socket } from './icmp6_socket.ts';
export { Poller } from './poller.ts';
export { type Datagram, type UdpOptions, UdpSocket } from './udp_socket.ts';
