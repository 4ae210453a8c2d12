// Feeds recorded inputs to a speaker: what it did then, it does again.
import type { SpeakerEffect, SpeakerInput } from './events.ts';
import { Speaker, type SpeakerOptions } from './speaker.ts';

export type Replayed = {
  readonly speaker: Speaker;
  /** Of each flush, in order. */
  readonly effects: readonly (readonly SpeakerEffect[])[];
};

/** @throws RangeError when the speaker asks for something that was not asked for in the recording */
export function replaySpeaker(
  options: Pick<SpeakerOptions, 'isRestarted' | 'timing'>,
  inputs: Iterable<SpeakerInput>,
): Replayed {
  const all = [...inputs];
  // Answers were recorded after the input that led to the question.
  const answers = all.filter((input) => input.kind === 'interface').map(({ name }) => name);
  let asked = 0;
  const speaker = new Speaker({
    ...options,
    interfaceOf: () => {
      if (asked === answers.length) {
        throw new RangeError('Cannot replay: an interface is asked for that was not recorded');
      }
      asked += 1;
      return answers[asked - 1];
    },
  });
  const effects: SpeakerEffect[][] = [];
  for (const input of all) {
    switch (input.kind) {
      case 'configure':
        speaker.configure(input.config, input.now);
        break;
      case 'event':
        speaker.handle(input.event, input.now);
        break;
      case 'flush':
        effects.push(speaker.flush(input.slice));
        break;
      case 'recovered':
        speaker.checkRecovered(input.now, input.isOverdue);
        break;
      case 'admit':
        speaker.admit(input.address, input.now, input.interfaceName);
        break;
      case 'refresh-interfaces':
        speaker.refreshInterfaces();
        break;
      case 'interface':
        break;
      default:
        input satisfies never;
    }
  }
  return { speaker, effects };
}
