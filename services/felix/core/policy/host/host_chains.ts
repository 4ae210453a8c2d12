// The base chains of host endpoints. Those of a point where no host endpoint is judged are left out, so that a node
// without any pays nothing. Interfaces of pods and the loopback are never judged here: the host reaches its own pods.
import { established, hook, rule, tunnelPeers } from '../compiler/base_chains.ts';
import { type Chain, match, type Rule, type Statement, verdict } from '../compiler/ruleset.ts';
import type { FilterSettings } from '../meaning/settings.ts';
import type { HostDispatch, POINTS } from './host_programs.ts';

export type HostDispatches = {
  readonly [K in keyof typeof POINTS]: HostDispatch | undefined;
};

type Side = 'iifname' | 'oifname';

export function hostChains(
  dispatches: HostDispatches,
  settings: FilterSettings,
): ReadonlyMap<string, Chain> {
  const { rawIn, rawOut, early, out, forwardIn, forwardOut } = dispatches;
  const known = established(settings);
  const accepted = allowedEarly(settings);
  const judge = (side: Side, dispatch: HostDispatch, before: readonly Rule[] = []): Rule[] => [
    ...exempt(side, settings),
    ...before,
    ...dispatchRules(side, dispatch),
  ];
  const chains = new Map<string, Chain>();
  if (rawIn) chains.set('host-raw-in', hook('prerouting', -299, judge('iifname', rawIn)));
  if (rawOut) chains.set('host-raw-out', hook('output', -299, judge('oifname', rawOut)));
  if (early) {
    const rules = judge('iifname', early, [...known, accepted]);
    chains.set('host-early-in', hook('prerouting', -150, rules));
  }
  if (forwardIn) {
    const rules = judge('iifname', forwardIn, [...known, accepted]);
    chains.set('host-forward-in', hook('forward', -1, rules));
  }
  if (forwardOut) {
    chains.set('host-forward-out', hook('forward', 2, judge('oifname', forwardOut, known)));
  }
  if (out === undefined) return chains;
  const before = [...known, accepted, ...tunnelPeers(settings)];
  // The interface that a translated packet leaves by is known only after it was routed again; but there the kernel
  // cannot answer a rejected one.
  if (settings.denyAction === 'Reject') {
    chains.set('host-out', hook('output', 0, judge('oifname', out, before)));
    return chains;
  }
  const { translatedBit } = settings;
  const translated = rule(
    'translated: judged when it leaves',
    match('ct status', 'dnat'),
    { kind: 'set-mark', bits: translatedBit, set: true },
    verdict('accept'),
  );
  const later = rule('translated', marked(translatedBit), verdict('goto host/translated-out'));
  chains.set('host-out', hook('output', 0, judge('oifname', out, [...before, translated])));
  chains.set('host-translated-out', hook('postrouting', -150, [later]));
  chains.set('host/translated-out', { comment: 'translated', rules: judge('oifname', out) });
  return chains;
}

/** What ends the input chain of the host. */
export function hostInputRules(dispatch: HostDispatch, settings: FilterSettings): Rule[] {
  return [
    ...exempt('iifname', settings),
    allowedEarly(settings),
    ...dispatchRules('iifname', dispatch),
  ];
}

function exempt(side: Side, { podInterfaces }: FilterSettings): Rule[] {
  return [podInterfaces, 'lo'].map((name) =>
    rule('no host endpoint', match(side, name), verdict('accept')),
  );
}

function allowedEarly({ acceptBit }: FilterSettings): Rule {
  return rule('allowed early', marked(acceptBit), verdict('accept'));
}

function dispatchRules(side: Side, { map, rest }: HostDispatch): Rule[] {
  const dispatch = rule('dispatch', { kind: 'verdict-map', field: side, map });
  return rest === undefined ? [dispatch] : [dispatch, rule('all other interfaces', verdict(rest))];
}

function marked(bits: number): Statement {
  return { kind: 'match-mark', bits, set: true };
}
