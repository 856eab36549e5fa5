import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode, UsageError } from '../lock/error.js'
import type { CallTarget } from '../task-base/call.js'
import type { Entry, Kwargs, SlotInfo } from '../task-base/entry.js'
import { namedArguments } from '../task-base/key-argument.js'

/** Arguments that are written down, in the task's order. @throws UsageError */
export function givenArguments(
  { args, kwargs }: Pick<Entry, 'args' | 'kwargs'>,
  target: CallTarget,
): readonly unknown[] {
  return kwargs === undefined ? ((args ?? []) as readonly unknown[]) : namedArguments(target, kwargs as Kwargs)
}

/** Whether a slot's arguments are asked of a function. */
export function asksCode({ args, kwargs }: Pick<Entry, 'args' | 'kwargs'>): boolean {
  return typeof args === 'function' || typeof kwargs === 'function'
}

/** The arguments of one slot. @throws UsageError, also where a function of the entry fails or takes longer than 5 s. */
export async function argumentsAt(
  name: string,
  { args, kwargs }: Entry,
  { target, nominal }: { readonly target: CallTarget; readonly nominal: number },
): Promise<readonly unknown[]> {
  const slot = { entry: name, nominal: new Date(nominal) }
  if (kwargs !== undefined) return givenArguments({ kwargs: await askOr(kwargs, slot) }, target)
  const given = await askOr(args ?? [], slot)
  if (Array.isArray(given)) return given
  throw new UsageError(`beat entry '${name}': args must return an array, got ${JSON.stringify(given)}.`)
}

async function askOr<Given extends object>(
  given: Given | ((slot: SlotInfo) => Given | Promise<Given>),
  slot: SlotInfo,
): Promise<Given> {
  if (typeof given !== 'function') return given
  try {
    return await inTime(slot.entry, async () => given(slot))
  } catch (cause) {
    if (hasCode(cause, 'USAGE')) throw cause
    // A server that the function did not reach is no server of beat's: the slot is an error, and nothing else waits for it.
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new UsageError(`beat entry '${slot.entry}': the function of its arguments failed: ${why}`, { cause })
  }
}

const LONGEST_ARGUMENTS_MS = 5_000

/** A claim ends: a function that answers after it, or never, must not leave its slot undecided. */
async function inTime<Given>(name: string, ask: () => Promise<Given>): Promise<Given> {
  const done = new AbortController()
  const late = sleep(LONGEST_ARGUMENTS_MS, undefined, { signal: done.signal }).then(() => {
    const cure = 'a function that beat calls must be quick; let the task itself look up what takes long'
    throw new UsageError(`beat entry '${name}': its arguments took longer than 5 s: ${cure}.`)
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([ask(), late])
  } finally {
    done.abort()
  }
}
