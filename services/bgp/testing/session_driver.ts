import {
  describeNotification,
  KEEPALIVE,
  type Message,
  type Open,
  type Update,
} from '@calico/bgp-wire';
import { makeOpen } from '../core/session/open_message.ts';
import {
  newSession,
  type Session,
  type SessionEvent,
  stateName,
  stepSession,
} from '../core/session/session.ts';
import type { ConnectionEvent, SessionConfig, SessionEffect, Side } from '../core/session/types.ts';
import { sessionConfig } from './session_config.ts';

/** OPEN of a peer that fits sessionConfig(). */
export function remoteOpen(changes: Partial<SessionConfig> = {}): Open {
  return makeOpen(sessionConfig({ routerId: 101, ...changes }));
}

export const UPDATE: Update = {
  kind: 'update',
  withdrawn: [],
  announced: [],
  attributes: {},
  problems: [],
};

/** A session that is told events and remembers what it wanted done. */
export class SessionDriver {
  session: Session = newSession(0);
  readonly config: SessionConfig;
  now = 0;
  effects: readonly SessionEffect[] = [];

  constructor(config: Partial<SessionConfig> = {}) {
    this.config = sessionConfig(config);
  }

  send(event: SessionEvent): this {
    const { session, effects } = stepSession(this.session, event, this.config, this.now);
    this.session = session;
    this.effects = effects;
    return this;
  }

  on(side: Side, event: ConnectionEvent): this {
    return this.send({ kind: 'connection', side, event });
  }

  hear(side: Side, ...messages: Message[]): this {
    for (const message of messages) this.on(side, { kind: 'message', message });
    return this;
  }

  establish(side: Side = 'outgoing', open = remoteOpen()): this {
    if (this.session.phase === 'stopped') this.send({ kind: 'start' });
    if (side === 'outgoing') this.on(side, { kind: 'opened' });
    else this.send({ kind: 'accepted' });
    return this.hear(side, open, KEEPALIVE);
  }

  /** "send open", "set-timer hold 30000", "close", each with its side unless it is ours. */
  get did(): string[] {
    return this.effects.map((effect) => {
      const side = 'side' in effect && effect.side !== 'outgoing' ? `${effect.side}: ` : '';
      switch (effect.kind) {
        case 'send':
          return `${side}send ${
            effect.message.kind === 'notification'
              ? describeNotification(effect.message)
              : effect.message.kind
          }`;
        case 'set-timer':
          return `${side}set ${effect.timer} ${effect.delayMs}`;
        case 'cancel-timer':
          return `${side}cancel ${effect.timer}`;
        case 'set-idle-hold':
          return `rest ${effect.delayMs}`;
        case 'down':
          return `down ${effect.isGraceful ? 'graceful' : 'hard'}: ${effect.reason}`;
        case 'up':
          return `${side}up${effect.isReplacing ? ' in place of another' : ''}`;
        default:
          return `${side}${effect.kind}`;
      }
    });
  }

  /** The same without timers, which matter only now and then. */
  get acted(): string[] {
    return this.did.filter(
      (text) => !/(set|cancel) (hold|keepalive|connect-retry|delay-open|send-hold)/.test(text),
    );
  }

  get state(): string {
    return stateName(this.session);
  }
}
