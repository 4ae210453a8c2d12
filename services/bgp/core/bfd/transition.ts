// The state machine of RFC 5880 section 6.2, as section 6.8.6 writes it down.
//
//                             +--+
//                             |  | UP, ADMIN DOWN, expired
//                             |  V
//                     DOWN  +------+  INIT
//              +------------|      |------------+
//              |            | DOWN |            |
//              |  +-------->|      |<--------+  |
//              |  |         +------+         |  |
//              |  |                          |  |
//              |  | ADMIN DOWN, expired      |  | ADMIN DOWN, DOWN, expired
//              V  |                          |  V
//            +------+                      +------+
//            | INIT |--------------------->|  UP  |
//            +------+   INIT, UP           +------+
import { BfdState, type ControlPacket } from '@calico/bfd-wire';
import type { BfdSession } from './session.ts';

/** The state after a packet that says that the peer is in state `remote`. */
export function nextState(local: BfdState, remote: BfdState): BfdState {
  if (remote === BfdState.AdminDown) return BfdState.Down;
  switch (local) {
    case BfdState.Down:
      if (remote === BfdState.Down) return BfdState.Init;
      return remote === BfdState.Init ? BfdState.Up : BfdState.Down;
    case BfdState.Init:
      return remote === BfdState.Down ? BfdState.Init : BfdState.Up;
    case BfdState.Up:
      return remote === BfdState.Down ? BfdState.Down : BfdState.Up;
    case BfdState.AdminDown:
      return BfdState.AdminDown;
    default:
      return local satisfies never;
  }
}

/**
 * Whether the packet comes from a new process of the peer. It has lost the session, but not the path:
 * what it forwards it may have gone on forwarding.
 */
export function hasRestarted({ remote }: BfdSession, packet: ControlPacket): boolean {
  return remote.discriminator !== 0 && remote.discriminator !== packet.myDiscriminator;
}
