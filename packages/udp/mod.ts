export { Poller } from './poller.ts';
export { type Datagram, type UdpOptions, UdpSocket } from './udp_socket.ts';
