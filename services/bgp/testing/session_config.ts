import { DEFAULT_TIMING, type SessionConfig } from '../core/session/types.ts';

/** An internal IPv4 session with graceful restart, with what the test is about changed. */
export function sessionConfig(changes: Partial<SessionConfig> = {}): SessionConfig {
  return {
    localAsn: 64512,
    routerId: 100,
    remoteAsn: 64512,
    isMember: false,
    families: [4],
    extendedNextHop: false,
    addPathReceive: false,
    addPathSend: false,
    holdTimeSeconds: 90,
    sendHoldSeconds: undefined,
    keepaliveSeconds: undefined,
    isPassive: false,
    delayOpenMs: 0,
    role: undefined,
    isRoleStrict: false,
    gracefulRestart: {
      restartTimeSeconds: 120,
      isRestarting: false,
      isForwardingPreserved: true,
      keepsOnNotification: false,
      longLivedSeconds: 0,
    },
    timing: DEFAULT_TIMING,
    ...changes,
  };
}
