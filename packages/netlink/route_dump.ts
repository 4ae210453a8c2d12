// A table of routes, read piece by piece: what a list takes at once, others may have turns in between.
import { type Answer, decodeAnswer, decodeDumpEnd } from './answer_codec.ts';
import type { Libc } from './libc.ts';
import { MessageCursor } from './message_reader.ts';
import { MessageWriter } from './message_writer.ts';
import { NetlinkSocket } from './netlink_socket.ts';
import { decodeRoute, routePasses, writeRouteFilter } from './route_codec.ts';
import type { Route, RouteDump, RouteFilter } from './types.ts';
import { NLM_F, NLMSG, RTM } from './uapi.ts';

/** One dump is one socket. */
export class NetlinkRouteDump implements RouteDump {
  readonly #socket: NetlinkSocket;
  readonly #filter: RouteFilter;
  #isInterrupted = false;

  constructor(libc: Libc, filter: RouteFilter) {
    this.#filter = filter;
    this.#socket = new NetlinkSocket(libc);
    const writer = new MessageWriter(64).begin(RTM.GETROUTE, NLM_F.REQUEST | NLM_F.DUMP, 1);
    writeRouteFilter(writer, filter);
    writer.end();
    this.#socket.send(writer.bytes);
  }

  next(visit: (route: Route) => void): 'more' | 'done' | 'interrupted' {
    const received = this.#socket.receive();
    if (received.kind !== 'datagram') return 'interrupted';
    const message = new MessageCursor(received.bytes);
    while (message.next()) {
      if ((message.flags & NLM_F.DUMP_INTR) !== 0) this.#isInterrupted = true;
      if (message.type === NLMSG.ERROR) return this.#endedBy(decodeAnswer(message));
      if (message.type === NLMSG.DONE) return this.#endedBy(decodeDumpEnd(message));
      const route = message.type === RTM.NEWROUTE ? decodeRoute(message) : undefined;
      if (route !== undefined && routePasses(route, this.#filter)) visit(route);
    }
    return 'more';
  }

  /** A table that does not exist holds nothing. */
  #endedBy({ code }: Answer): 'done' | 'interrupted' {
    const isWhole = code === undefined || code === 'ENOENT';
    return isWhole && !this.#isInterrupted ? 'done' : 'interrupted';
  }

  close(): void {
    this.#socket.close();
  }
}
