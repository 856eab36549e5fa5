/** Control, format and line separator characters that could forge a line or hide text on a terminal. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** Text from messages, names or servers, safe to print on one line: unsafe characters become `\u{…}`. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`)
}

/** The same, cut to `length` characters with an ellipsis. */
export function shortened(text: string, length: number): string {
  const safe = printable(text)
  // Half a character at the cut would be no text for a server that takes well-formed text only.
  return safe.length > length ? `${safe.slice(0, length - 1).replace(/[\ud800-\udbff]$/, '')}…` : safe
}
