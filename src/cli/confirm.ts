import { createInterface } from 'node:readline/promises'
import { UsageError } from '../lock/error.js'

/** Refuses a command that changes things where nobody can be asked. @throws UsageError */
export function needsAnswer(command: string, { yes }: { readonly yes?: true }): void {
  if (yes || (process.stdin.isTTY && process.stderr.isTTY)) return
  const verb = command.split(' ').at(-1)
  throw new UsageError(`${command}: there is no terminal to ask on; add --yes to ${verb} without asking.`)
}

/** Shows what is meant and asks, both on stderr. Anything but yes is no. */
export async function confirmed(shown: string, question: string): Promise<boolean> {
  process.stderr.write(shown)
  const asking = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await asking.question(`${question} [y/N] `)).trim())
  } finally {
    asking.close()
  }
}
