// Names as tokens of NATS subjects. A token must not be empty and must not hold '.', '*', '>', white
// space or control characters. What is not surely plain is written as %XX, byte by byte of its UTF-8.
import { SubjectError } from './errors.ts';

const PLAIN = /^[A-Za-z0-9_~=:@+-]$/;
const ESCAPED = /%([0-9A-F]{2})/g;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** `_` stands for "no namespace", so a name that is just that is escaped. */
export const NO_NAMESPACE = '_';

/** The name as one token: `k8s.node` is `k8s%2Enode`. Throws SubjectError when it is empty. */
export function escapeToken(name: string): string {
  if (name === '') throw new SubjectError('Cannot make a subject of an empty name');
  if (!name.isWellFormed()) {
    throw new SubjectError(`Cannot make a subject of ${JSON.stringify(name)}: lone surrogate`);
  }
  if (name === NO_NAMESPACE) return '%5F';
  let token = '';
  for (const character of name) token += PLAIN.test(character) ? character : percent(character);
  return token;
}

/** The name back. Throws SubjectError for what escapeToken() does not write. */
export function unescapeToken(token: string): string {
  const name = decodeToken(token);
  if (name === undefined || name === '' || escapeToken(name) !== token) {
    throw new SubjectError(`Cannot read token ${JSON.stringify(token)}: not an escaped name`);
  }
  return name;
}

function percent(character: string): string {
  let text = '';
  for (const byte of encoder.encode(character)) {
    text += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

function decodeToken(token: string): string | undefined {
  // Latin-1 text of the bytes, so that UTF-8 sequences of several %XX come together.
  if (/[^\x21-\x7e]/.test(token)) return undefined;
  const latin = token.replaceAll(ESCAPED, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  try {
    return decoder.decode(Uint8Array.from(latin, (character) => character.charCodeAt(0)));
  } catch {
    return undefined;
  }
}
