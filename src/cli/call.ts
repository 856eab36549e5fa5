import type { Command } from 'commander'
import { type Duration, formatDuration, parseDuration } from '../lock/duration.js'
import { BeatlockError, UsageError } from '../lock/error.js'
import type { Overlap } from '../lock/overlap.js'
import { printable } from '../lock/printable.js'
import { suggest } from '../lock/suggest.js'
import type { App } from '../task-base/app.js'
import type { CallOptions } from '../task-base/call.js'
import { LEAST_LIMIT_MS, refuseLateSoftLimit } from '../task-base/call-term.js'
import { namedArguments } from '../task-base/key-argument.js'
import type { Result } from '../task-base/result.js'
import { readTaskName } from '../task-base/task-definition.js'
import { EXIT, type ExitCode } from './exit.js'
import { readArgs, readHeaderFlag, readKwargs } from './json-flag.js'
import { jsonText, print, say } from './print.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { type Target, withTarget } from './target.js'
import { sayIfUnserved } from './unserved.js'

interface CallFlags extends GlobalFlags {
  readonly args?: string
  readonly kwargs?: string
  readonly id?: string
  readonly countdown?: string
  readonly expires?: string
  readonly queue?: string
  readonly priority?: string
  readonly headers?: string
  readonly softTimeLimit?: string
  readonly timeLimit?: string
  readonly overlap?: string
  readonly wait?: string | true
  readonly json?: true
}

const EXAMPLES = `
beatlock -A ./app.js call feeds.refresh --kwargs '{"feedId": 7}'
beatlock -A ./app.js call rollup.hourly --overlap defer --wait 5m`

/** `call TASK`: one call through the same guard as everyone's. */
export function addCallCommand(parent: Command): void {
  addCommand(parent, 'call', 'calls a task once, through the same guard as everyone', EXAMPLES)
    .argument('<task>', "the task's name")
    .option('--args <json>', 'arguments in order, a JSON array')
    .option('--kwargs <json>', 'arguments by name, a JSON object')
    .option('--id <id>', 'message id: the same id again is the same call')
    .option('--countdown <duration>', 'start at the earliest after: 30s, 5m')
    .option('--expires <duration>', 'worthless after: 30s, 5m')
    .option('--queue <queue>', "default: as its task or the app's routes say, else default")
    .option('--priority <number>', '0 goes first, then 1 and so on; without one a call goes before those that have one')
    .option('--headers <json>', 'texts for the body beside its arguments, a JSON object')
    .option('--soft-time-limit <duration>', 'abort the signal of its run after this long')
    .option('--time-limit <duration>', 'kill its run after this long')
    .option('--overlap <policy>', 'when the key is held: raise, skip, defer, queue, replace or allow')
    .option('--wait [duration]', 'wait for the result and print it')
    .option('--json', 'an object: id, outcome, holder; with --wait also value; error (code, message) where it fails')
    .addHelpText('after', '\nPrints what became of the call. A call that is skipped is no failure, but with --wait.')
    .action(exiting((task: string, _, command: Command) => call(task, command.optsWithGlobals<CallFlags>())))
}

async function call(task: string, flags: CallFlags): Promise<ExitCode> {
  const args = readArgs(flags.args)
  const kwargs = readKwargs(flags.kwargs)
  const options = readOptions(flags)
  const wait = readWait(flags.wait)
  if (args !== undefined && kwargs !== undefined)
    throw new UsageError('call has both --args and --kwargs; keep one of them.')
  return withTarget(flags, 'call', async (target) => {
    refuseUnknown(target, task)
    const bound = kwargs === undefined ? (args ?? []) : namedArguments(await target.app.targetOf(task), kwargs)
    const result = await orTold(flags, unsent(flags), () => target.app.sendTask(task, bound, options))
    if (!flags.json) await print(describe(result, task))
    const queueOf = async () => (await target.app.message(await target.app.targetOf(task), bound, options)).queue
    const value =
      wait &&
      (await orTold(
        flags,
        () => asJson(result),
        () => waited(result, { wait, app: target.app, queueOf }),
      ))
    if (flags.json) await print(`${jsonText({ ...asJson(result), ...(wait && { value: value ?? null }) })}\n`)
    else if (wait !== undefined) await print(`${jsonText(value)}\n`)
    return EXIT.done
  })
}

/** A program reads of a failure where it reads of a success; sentence and exit code are those of the error. */
async function orTold<T>(
  { json }: CallFlags,
  told: (error: BeatlockError) => object,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (json && error instanceof BeatlockError && error.code !== 'USAGE') {
      const { code, message } = error
      await print(`${jsonText({ ...told(error), error: { code, message } })}\n`)
    }
    throw error
  }
}

/** What is known of a call that was not accepted; the id of one that may have been is worth calling again with. */
function unsent({ id }: CallFlags) {
  return ({ code, data }: BeatlockError): object => ({
    id: data['id'] ?? id ?? null,
    outcome: code === 'ALREADY_QUEUED' || code === 'PARKED_FULL' ? 'refused' : null,
    holder: data['holder'] ?? null,
  })
}

/** With the code at hand a name that it does not have is a mistake; without, a worker knows, or puts it back. */
function refuseUnknown({ scope, app }: Target, task: string): void {
  if (scope === 'server') throw new UsageError('call needs the app: -A ./app.js, or --app NAME.')
  readTaskName(task, 'call: TASK')
  if (scope === 'name' || app.tasks.has(task)) return
  const names = [...app.tasks.keys()]
  const guess = suggest(task, names) || `; it has ${names.length === 0 ? 'no tasks' : names.join(', ')}`
  throw new UsageError(`app '${app.name}' has no task '${task}'${guess || '.'}`)
}

/** What the call itself would refuse by the name of an option is refused here by that of its flag. */
function readOptions(flags: CallFlags): CallOptions {
  const { id, countdown, expires, queue, priority, softTimeLimit, timeLimit, overlap } = flags
  readDuration('--countdown', countdown)
  readDuration('--expires', expires, 1)
  refuseLateSoftLimit('call', {
    softTimeLimitMs: readDuration('--soft-time-limit', softTimeLimit, LEAST_LIMIT_MS),
    timeLimitMs: readDuration('--time-limit', timeLimit, LEAST_LIMIT_MS),
    named: ['--soft-time-limit', '--time-limit'],
  })
  const headers = readHeaderFlag(flags.headers)
  return {
    ...(id === undefined ? {} : { id }),
    ...(countdown === undefined ? {} : { countdown: countdown as Duration }),
    ...(expires === undefined ? {} : { expires: expires as Duration }),
    ...(queue === undefined ? {} : { queue }),
    ...(priority === undefined ? {} : { priority: Number(priority) }),
    ...(headers === undefined ? {} : { headers: headers as CallOptions['headers'] & {} }),
    ...(softTimeLimit === undefined ? {} : { softTimeLimit: softTimeLimit as Duration }),
    ...(timeLimit === undefined ? {} : { timeLimit: timeLimit as Duration }),
    ...(overlap === undefined ? {} : { once: { overlap: overlap as Overlap } }),
  }
}

function readDuration(flag: string, text: string | undefined, minMs = 0): number | null {
  return text === undefined ? null : parseDuration(text, flag, { minMs })
}

/** `--wait` alone waits without a bound. Undefined: not at all. */
export function readWait(wait: string | true | undefined): { readonly timeout?: Duration } | undefined {
  if (wait === undefined) return undefined
  if (wait === true) return {}
  return { timeout: `${parseDuration(wait, '--wait')}ms` }
}

interface Wait {
  readonly wait: { readonly timeout?: Duration }
  readonly app: App
  /** Where the call went. */
  readonly queueOf: () => Promise<string>
}

async function waited(result: Result<unknown>, { wait, app, queueOf }: Wait): Promise<unknown> {
  if (result.outcome === 'rejected') return result.get(wait)
  const bound = wait.timeout === undefined ? '' : ` up to ${formatDuration(parseDuration(wait.timeout, '--wait'))}`
  say(`waiting${bound} for ${result.id}`)
  const stop = sayIfUnserved(app, queueOf)
  return result.get(wait).finally(stop)
}

function describe({ id, outcome, holder }: Result<unknown>, task: string): string {
  const on = holder?.worker === undefined ? '' : ` on ${holder.worker}`
  const behind = holder === undefined ? '' : `: ${holder.id}${on} has the key since ${holder.since}`
  return `${printable(`${outcome} ${task} as ${id}${behind}`)}\n`
}

function asJson({ id, outcome, holder }: Result<unknown>): object {
  return { id, outcome, holder: holder ?? null }
}
