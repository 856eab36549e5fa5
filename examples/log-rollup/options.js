import { Command, InvalidArgumentError } from 'commander'

/**
 * @typedef {object} Options
 * @property {string} [broker]
 * @property {string} [locks]
 * @property {number} seconds length of each part
 * @property {number} seed
 * @property {number} concurrency
 */

/** Shorter, and no child could be killed in mid-run. */
const MIN_SECONDS = 6

/**
 * @param {readonly string[]} argv
 * @returns {Options}
 * @throws {import('commander').CommanderError} after it has said what is wrong, or printed the help (exit code 0)
 */
export function readOptions(argv) {
  const program = new Command('npm start --')
    .description('Rolls up a growing access log: unguarded, then guarded with skip and with defer. About a minute.')
    .option('--broker <url>', 'redis://…, postgres://… or embedded: (default: BEATLOCK_BROKER, then embedded:)')
    .option('--locks <url>', 'another server for the locks (default: BEATLOCK_LOCKS, then the broker)')
    .option('--seconds <n>', 'length of each of the three parts', wholeNumber(MIN_SECONDS), 13)
    .option('--seed <n>', 'of the log; the same seed gives the same lines', wholeNumber(0), 1)
    .option('--concurrency <n>', 'prefork children', wholeNumber(1), 4)
    .configureHelp({ helpWidth: 100 })
    .allowExcessArguments()
    .exitOverride()
    .parse(argv, { from: 'user' })
  refuseArguments(program)
  return program.opts()
}

/**
 * Without the `--`, npm takes the options for its own and leaves us their values.
 *
 * @param {Command} program
 */
function refuseArguments(program) {
  const [argument] = program.args
  if (argument === undefined) return
  const shown = argument.replace(/\/\/[^/]*@/, '//')
  program.error(`error: unexpected argument '${shown}'; options follow after --, as in npm start -- --broker redis://…`)
}

/**
 * @param {number} least
 * @returns {(text: string) => number}
 */
function wholeNumber(least) {
  return (text) => {
    const value = Number(text)
    if (Number.isSafeInteger(value) && value >= least && text.trim() !== '') return value
    throw new InvalidArgumentError(`Expected a whole number of at least ${least}.`)
  }
}
