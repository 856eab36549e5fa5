import { printable } from '../lock/printable.js'
import { EXIT, type ExitCode } from './exit.js'
import { print, say } from './print.js'

interface JsonFlag {
  readonly json?: true
}

/** Nothing was done, and why: said on stderr. For programs the list of what was done is empty. */
export async function didNothing(why: string, { json }: JsonFlag, code: ExitCode): Promise<ExitCode> {
  say(why)
  if (json) await print('[]\n')
  return code
}

export function nothingMatches(pattern: string, flags: JsonFlag): Promise<ExitCode> {
  return didNothing(`nothing matches '${printable(pattern)}'.`, flags, EXIT.nothing)
}
