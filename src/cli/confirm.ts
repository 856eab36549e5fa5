import { createInterface } from 'node:readline/promises'
import { UsageError } from '../lock/error.js'

/** Where somebody is asked. */
export interface Terminal {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
}

/** Refuses a command that changes things where nobody can be asked. @throws UsageError */
export function needsAnswer(
  command: string,
  { yes }: { readonly yes?: true },
  { stdin, stderr }: Terminal = process,
): void {
  if (yes || (stdin.isTTY && stderr.isTTY)) return
  const verb = command.split(' ').at(-1)
  throw new UsageError(`${command}: there is no terminal to ask on; add --yes to ${verb} without asking.`)
}

/** Shows what is meant and asks, both on stderr. Anything but yes is no; so is no answer: Ctrl-D, Ctrl-C. */
export async function confirmed(
  shown: string,
  question: string,
  { stdin, stderr }: Terminal = process,
): Promise<boolean> {
  stderr.write(shown)
  const asking = createInterface({ input: stdin, output: stderr })
  const closed = new Promise<undefined>((resolve) => asking.once('close', () => resolve(undefined)))
  const asked = asking.question(`${question} [y/N] `).catch(() => undefined)
  const answer = await Promise.race([asked, closed])
  asking.close()
  if (answer === undefined) stderr.write('\n')
  return /^y(es)?$/i.test((answer ?? '').trim())
}
