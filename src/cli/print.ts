import { once } from 'node:events'

/** Writes to stdout, no faster than it is read: a list of any length takes bounded memory. */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

/** JSON allows any of these as they are; a terminal would obey or hide them. C0 characters it has escaped already. */
const HIDING = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** JSON for scripts that is safe to look at: it reads back as the same value. */
export function jsonText(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent) ?? 'undefined'
  return text.replace(HIDING, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** One line to stderr: what is said about the output, not part of it. */
export function say(line: string): void {
  process.stderr.write(`beatlock: ${line}\n`)
}

/** `locks list | head`: the reader has seen enough, which is no failure. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
}

/** The width of the terminal, or undefined where the output is piped: then nothing is cut. */
export function terminalWidth(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined
}
