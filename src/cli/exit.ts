import { CommanderError } from 'commander'
import { printable } from '../lock/printable.js'

/** What a command's end means to a script. */
export const EXIT = { done: 0, failed: 1, usage: 2, nothing: 3, unreachable: 69 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

const UNREACHABLE = new Set(['STORE_UNAVAILABLE', 'BROKER_UNAVAILABLE', 'PUBLISH_UNKNOWN'])

/** The exit code of an error, told by its `code`: an app may bring another copy of the error's class. Pure. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
  const code = codeOf(error)
  if (code === 'USAGE') return EXIT.usage
  return code !== undefined && UNREACHABLE.has(code) ? EXIT.unreachable : EXIT.failed
}

/**
 * What is printed of an error: a sentence, and with `stack` where it came from. Undefined where the command line parser
 * has said all there is (help, version). Pure.
 */
export function sentenceOf(error: unknown, trace: 'stack' | 'no stack'): string | undefined {
  if (error instanceof CommanderError) return error.exitCode === 0 ? undefined : parserSentence(error)
  if (!(error instanceof Error)) return printable(String(error))
  if (trace === 'stack') return stackOf(error)
  // A guess ends its sentence with a question mark.
  if (codeOf(error) !== undefined) return printable(error.message.replace(/\?\.$/, '?'))
  return printable(`unexpected ${error.name}: ${error.message}; -l debug shows where it came from.`)
}

function stackOf(error: Error): string {
  const own = (error.stack ?? error.message).split('\n').map(printable).join('\n')
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own
}

/** `error: unknown option '--jsn'\n(Did you mean --json?)` in this project's words. */
function parserSentence(error: CommanderError): string {
  if (error.code === 'commander.help') return 'a command is missing; see above.'
  const [what = '', hint] = error.message.replace(/^error: /, '').split('\n')
  const guess = /^\(Did you mean (.*)\?\)$/.exec(hint ?? '')?.[1]
  return printable(guess === undefined ? `${what}; see --help.` : `${what}; did you mean ${guess}?`)
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : undefined
}
