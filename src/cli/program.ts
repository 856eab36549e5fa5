import { Command } from 'commander'
import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import { packageVersion } from '../lock/version.js'
import { LOG_LEVELS, type LogLevel } from '../task-base/worker-command.js'
import { EXIT, type ExitCode, exitCodeOf, sentenceOf } from './exit.js'
import { endWithReader, say } from './print.js'

/** The options that every command takes, before or after its name. */
export interface GlobalFlags {
  /** `-A`: the app's module. */
  readonly A?: string
  readonly app?: string
  readonly broker?: string
  readonly locks?: string
  /** Of beat and schedule: where the timetable is. */
  readonly store?: string
  readonly logLevel: LogLevel
}

const EXIT_CODES =
  '\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing matched (KEY, ID, NAME), 69 server unreachable.'

/** A command with the options that all share. */
export function createProgram(name: string, description: string): Command {
  return (
    new Command(name)
      .description(description)
      .version(packageVersion(), '-V, --version', "this package's version")
      .option(
        '-A <file>',
        'module that exports the app, as `app` or as default: -A ./app.js (or ./app.ts: by tsx, or Node ≥ 22.18)',
      )
      .option('--app <name>', "the app's name, where its code is not needed")
      .option('--broker <url>', 'redis://…, postgres://…, embedded: or embedded:./dir (or BEATLOCK_BROKER)')
      .option('--locks <url>', "server of the locks, if it is not the broker's (or BEATLOCK_LOCKS)")
      .option(
        '-l, --log-level <level>',
        `${LOG_LEVELS.join(', ')}; debug also shows where errors came from`,
        (level) => readLevel('-l', level),
        'info',
      )
      .configureHelp({ showGlobalOptions: true, helpWidth: 110 })
      .addHelpText('after', EXIT_CODES)
      // Errors are thrown, and told once, in `main`.
      .configureOutput({ outputError: () => {} })
      .exitOverride()
  )
}

/** Adds a command that inherits how errors and help are told. */
export function addCommand(parent: Command, usage: string, description: string, examples: string): Command {
  return parent
    .command(usage)
    .description(description)
    .addHelpText('after', `\nExamples:\n${examples.trim().replaceAll(/^\s*/gm, '  ')}`)
}

/** An action whose answer is the exit code. */
export function exiting<A extends unknown[]>(act: (...args: A) => Promise<ExitCode>): (...args: A) => Promise<void> {
  return async (...args) => {
    process.exitCode = await act(...args)
  }
}

/** Runs a command line and ends the process. */
export async function main(program: Command): Promise<void> {
  await endWith(
    async () => {
      await program.parseAsync()
      return process.exitCode as ExitCode | undefined
    },
    () => program.opts<GlobalFlags>().logLevel,
  )
}

/** Ends the process by what `run` answers or throws: an app's module may hold timers and sockets that nobody closes. */
export async function endWith(run: () => Promise<ExitCode | undefined>, level: () => LogLevel): Promise<void> {
  endWithReader()
  let code: ExitCode = EXIT.done
  try {
    code = (await run()) ?? EXIT.done
  } catch (error) {
    code = exitCodeOf(error)
    const sentence = sentenceOf(error, level() === 'debug' ? 'stack' : 'no stack')
    if (sentence !== undefined) say(sentence)
  }
  process.stdout.write('', () => process.exit(code))
}

/** What others call these levels. */
const ELSEWHERE: Readonly<Record<string, LogLevel>> = { warning: 'warn', critical: 'error', fatal: 'error' }

/** Upper case or not. @throws UsageError */
export function readLevel(what: string, text: string): LogLevel {
  const level = text.toLowerCase()
  const known = LOG_LEVELS.find((each) => each === level)
  if (known) return known
  const guess = ELSEWHERE[level] === undefined ? suggest(level, LOG_LEVELS) : `; did you mean "${ELSEWHERE[level]}"?`
  throw new UsageError(`${what} must be ${LOG_LEVELS.join(', ')}, got '${text}'${guess || '.'}`)
}
