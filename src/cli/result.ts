import type { Command } from 'commander'
import { BeatlockError, UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'
import { requireId } from '../task-base/call.js'
import { ResultTimeout } from '../task-base/error.js'
import type { Result, State } from '../task-base/result.js'
import { readWait } from './call.js'
import { EXIT, type ExitCode } from './exit.js'
import { jsonText, print } from './print.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { withTarget } from './target.js'

interface ResultFlags extends GlobalFlags {
  readonly wait?: string | true
  readonly json?: true
}

/** How a call stands, and its value or error once it has one. */
interface Standing {
  readonly id: string
  readonly state: State
  readonly value?: unknown
  readonly error?: { readonly code: string; readonly message: string }
}

const EXAMPLES = `
beatlock -A ./app.js result 01JD2Y3V6W7X8Z9A0B1C2D3E4F
beatlock --app shop result 01JD2Y3V6W7X8Z9A0B1C2D3E4F --wait 30s --json`
const ENDED: readonly State[] = ['SUCCESS', 'FAILURE', 'REJECTED', 'REVOKED']

/** `result ID`: the state of a call, and its value. */
export function addResultCommand(parent: Command): void {
  addCommand(parent, 'result', 'the state of a call, and its value', EXAMPLES)
    .argument('<id>', "the call's message id")
    .option('--wait [duration]', 'wait until it has ended')
    .option('--json', 'an object: id, state, value or error')
    .addHelpText(
      'after',
      '\nA call that nothing is known of is PENDING, as in Celery. Exit code 1: FAILURE, REJECTED or REVOKED.',
    )
    .action(exiting((id: string, _, command: Command) => result(id, command.optsWithGlobals<ResultFlags>())))
}

async function result(id: string, flags: ResultFlags): Promise<ExitCode> {
  requireId('result', id)
  const wait = readWait(flags.wait)
  return withTarget(flags, 'result', async ({ app, scope }) => {
    if (scope === 'server') throw new UsageError('result needs the app: -A ./app.js, or --app NAME.')
    const call = app.result<unknown>(id)
    const late = wait && (await ended(call, wait))
    const standing = late ? { id, state: await call.state(), error: told(late) } : await standingOf(call)
    if (flags.json || !late) await print(flags.json ? `${jsonText(standing)}\n` : describe(standing))
    if (late) throw late
    return standing.error ? EXIT.failed : EXIT.done
  })
}

/** However it ends: how is told by {@link standingOf}. Answers that it did not in time. @throws ServerUnavailable */
async function ended(
  call: Result<unknown>,
  wait: NonNullable<ReturnType<typeof readWait>>,
): Promise<ResultTimeout | undefined> {
  try {
    await call.get(wait)
  } catch (error) {
    if (error instanceof ResultTimeout) return error
    if (!ENDED.includes(await call.state())) throw error
  }
  return undefined
}

async function standingOf(call: Result<unknown>): Promise<Standing> {
  const state = await call.state()
  if (!ENDED.includes(state)) return { id: call.id, state }
  try {
    return { id: call.id, state, value: (await call.get()) ?? null }
  } catch (error) {
    if (!(error instanceof BeatlockError)) throw error
    return { id: call.id, state, error: told(error) }
  }
}

function told({ code, message }: BeatlockError): NonNullable<Standing['error']> {
  return { code, message }
}

function describe({ state, value, error }: Standing): string {
  if (error) return `${state} (${printable(error.code)}): ${printable(error.message)}\n`
  return state === 'SUCCESS' ? `${state} ${printable(JSON.stringify(value))}\n` : `${state}\n`
}
