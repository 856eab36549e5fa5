import type { Command } from 'commander'
import { type Duration, parseDuration } from '../lock/duration.js'
import { UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'
import type { AskOptions, Replies } from '../task-base/ask-workers.js'
import { WORKER_DEAD_MS } from '../task-base/locks.js'
import { EXIT, type ExitCode } from './exit.js'
import { operator } from './operator.js'
import { jsonText, print, say } from './print.js'
import { exiting, type GlobalFlags } from './program.js'
import type { Target } from './target.js'

/** The options of commands that ask workers. */
export interface AskFlags extends GlobalFlags {
  readonly destination?: string
  readonly timeout?: string
  readonly json?: true
}

/** One worker's part of the answer, as `--json` prints it. */
export interface Told {
  readonly app: string
  readonly worker: string
  /** `silent`: it did not answer in time. `absent`: no living worker has this name. */
  readonly outcome: 'answered' | 'failed' | 'silent' | 'absent'
  readonly answer: unknown
  /** Of a list: how many did not fit. */
  readonly omitted: number
  /** Why it failed. */
  readonly error: string | null
}

const EXIT_NOTE = `
Asks the workers that live now, through the locks' server, and waits for the last answer or for --timeout. A worker that
is stopped does not answer; one that was killed counts as living for 15 s. Exit codes: 0 all answered, 1 not all did, or
one could not do it (said on stderr), 3 no living worker has such a name, 69 nobody answered.`

/** Adds the options that all these commands take, and what their exit codes mean. */
export function addAskOptions(command: Command, ask: (args: readonly string[], flags: AskFlags) => Promise<ExitCode>) {
  return command
    .option('--destination <names>', 'only these workers, separated by commas: w1@db2, or w1 on all hosts')
    .option('--timeout <duration>', 'wait this long for answers; default: 6s')
    .option('--json', 'an array, one object a worker: app, worker, outcome, answer, omitted, error')
    .addHelpText('after', EXIT_NOTE)
    .action(
      exiting((...given: unknown[]) => {
        const self = given.at(-1) as Command
        return ask(self.args, self.optsWithGlobals<AskFlags>())
      }),
    )
}

/** @throws UsageError */
export function readAskOptions({ destination, timeout }: AskFlags): AskOptions {
  if (timeout !== undefined) parseDuration(timeout, '--timeout', { minMs: 100, maxMs: 600_000 })
  return {
    by: operator(),
    ...(destination === undefined ? {} : { destination: readNames(destination) }),
    ...(timeout === undefined ? {} : { timeout: timeout as Duration }),
  }
}

function readNames(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.every((name) => name !== '')) return names
  throw new UsageError(`--destination must be names such as w1@db2,w2, got '${text}'.`)
}

/** The app, or where none is named all apps of the server that have workers. */
export async function appsAsked(target: Target): Promise<readonly string[]> {
  if (target.scope !== 'server') return [target.app.name]
  const { store } = await target.app.connection()
  const now = await store.now()
  const rows = await store.workers({ allApps: true })
  return [...new Set(rows.filter(({ seenAt }) => now - seenAt < WORKER_DEAD_MS).map(({ app }) => app))].sort()
}

export function toldBy(app: string, { answers, omitted, failed, silent, absent }: Replies<unknown>): Told[] {
  const one = (worker: string, of: Partial<Told>): Told => ({
    app,
    worker,
    outcome: 'answered',
    answer: null,
    omitted: 0,
    error: null,
    ...of,
  })
  return [
    ...Object.entries(answers).map(([worker, answer]) => one(worker, { answer, omitted: omitted[worker] ?? 0 })),
    ...Object.entries(failed).map(([worker, error]) => one(worker, { outcome: 'failed', error })),
    ...silent.map((worker) => one(worker, { outcome: 'silent' })),
    ...absent.map((worker) => one(worker, { outcome: 'absent' })),
  ]
}

/** Of all apps: a name is absent where none of them has it, and then once. Pure. */
export function absentOnce(told: readonly Told[]): Told[] {
  const there = told.filter(({ outcome }) => outcome !== 'absent').map(({ worker }) => worker)
  const meant = new Set<string>()
  return told.filter(({ outcome, worker }) => {
    if (outcome !== 'absent') return true
    if (meant.has(worker) || there.some((name) => name === worker || name.startsWith(`${worker}@`))) return false
    meant.add(worker)
    return true
  })
}

/** Prints what was answered, says who did not answer, and judges. `done`: whether a worker that is silent may have obeyed. */
export async function tellAnswers(
  told: readonly Told[],
  { json, asked, shown }: { json: boolean; asked: 'question' | 'change'; shown: () => Promise<void> },
): Promise<ExitCode> {
  const answered = told.filter(({ outcome }) => outcome === 'answered')
  if (json) await print(`${jsonText(told, 2)}\n`)
  else if (answered.length > 0) await shown()
  for (const { worker, omitted } of answered) {
    if (omitted > 0) say(`${printable(worker)} has ${omitted} more, which its answer had no room for.`)
  }
  for (const { worker, error } of told.filter(({ outcome }) => outcome === 'failed'))
    say(`${printable(worker)} could not: ${printable(error ?? '')}.`)
  const named = (of: Told['outcome']) =>
    told.filter(({ outcome }) => outcome === of).map(({ worker }) => printable(worker))
  const [silent, absent] = [named('silent'), named('absent')]
  const maybe = asked === 'change' ? ' (it may have obeyed all the same)' : ''
  if (silent.length > 0) say(`no answer from ${silent.join(', ')}${maybe}; beatlock status shows who lives.`)
  if (absent.length > 0) say(`no living worker is named ${absent.join(', ')}; beatlock status shows who lives.`)
  if (told.length === 0) say('no worker lives; start one with beatlock -A ./app.js worker.')
  if (told.length > 0 && absent.length === told.length) return EXIT.nothing
  if (silent.length + absent.length === told.length) return EXIT.unreachable
  return answered.length === told.length ? EXIT.done : EXIT.failed
}
