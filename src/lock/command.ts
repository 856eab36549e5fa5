/** What somebody asks of workers. */
export interface Command {
  /** Unique: the same id again is the same command. */
  readonly id: string
  /** JSON text that only the two ends read. Of bounded size, some 400 characters at most: each part of it is (`readCommand`). */
  readonly body: string
  /** Names of workers. */
  readonly to: readonly string[]
  /** For how long it may be heard and answered, in ms; at most {@link COMMAND_MS}. */
  readonly ttlMs: number
}

/** A command as a worker finds it. */
export interface PendingCommand {
  readonly id: string
  readonly body: string
  /** Epoch ms by the store's clock. */
  readonly givenAt: number
  /** How long it may still be answered. */
  readonly remainingMs: number
}

/** What one worker answered: JSON text, not empty. */
export interface CommandAnswer {
  readonly worker: string
  readonly answer: string
}

/**
 * What workers of an app are asked and what they answer, for as long as the asker waits. Kept are at most
 * {@link COMMANDS_KEPT} commands of an app, those that end first give way; nothing is left once they are over, whether
 * anybody answered or not. Each verb is one atomic step, and may be repeated.
 */
export interface CommandStore {
  /** Keeps a command, and tells the workers that it is for (topic `command:<name>`). */
  give(command: Command): Promise<void>
  /** What this worker was asked at or after `since` and has not answered, in the order of asking. */
  pending(worker: string, since: number): Promise<readonly PendingCommand[]>
  /** The first answer of a worker counts. False: it was not asked, or it is too late. Tells the asker (`answer:<id>`). */
  answer(id: string, answer: CommandAnswer): Promise<boolean>
  /** What was answered so far, but for these workers' answers; in no order. */
  answers(id: string, but: readonly string[]): Promise<readonly CommandAnswer[]>
  /** Takes a command back: who has not seen it yet never will. */
  drop(id: string): Promise<void>
}

export const COMMANDS_KEPT = 100
export const COMMAND_MS = 600_000

/** One app's commands by id, within a process. */
export type CommandBox = Map<string, KeptCommand>

interface KeptCommand {
  readonly body: string
  readonly at: number
  readonly endsAt: number
  /** By worker; undefined until it has answered. */
  readonly answers: Map<string, string | undefined>
}

export function give(box: CommandBox, { id, body, to, ttlMs }: Command, now: number): void {
  forget(box, now)
  if (box.has(id)) return
  box.set(id, { body, at: now, endsAt: now + ttlMs, answers: new Map(to.map((worker) => [worker, undefined])) })
  const firstToEnd = [...box].sort(([a, of], [b, than]) => of.endsAt - than.endsAt || (a < b ? -1 : 1))
  for (const [each] of firstToEnd.slice(0, -COMMANDS_KEPT)) box.delete(each)
}

export function pendingOf(box: CommandBox, { worker, since }: { worker: string; since: number }, now: number) {
  forget(box, now)
  const open = [...box].filter(
    ([, { at, answers }]) => at >= since && answers.has(worker) && answers.get(worker) === undefined,
  )
  return open.map(([id, { body, at, endsAt }]) => ({ id, body, givenAt: at, remainingMs: endsAt - now })).sort(byAge)
}

export function byAge(a: PendingCommand, b: PendingCommand): number {
  return a.givenAt - b.givenAt || (a.id < b.id ? -1 : 1)
}

export function keepAnswer(box: CommandBox, id: string, { worker, answer }: CommandAnswer, now: number): boolean {
  forget(box, now)
  const answers = box.get(id)?.answers
  if (!answers?.has(worker)) return false
  answers.set(worker, answers.get(worker) ?? answer)
  return true
}

export function answersOf(box: CommandBox, id: string, but: readonly string[]): CommandAnswer[] {
  return [...(box.get(id)?.answers ?? [])].flatMap(([worker, answer]) =>
    answer === undefined || but.includes(worker) ? [] : [{ worker, answer }],
  )
}

function forget(box: CommandBox, now: number): void {
  for (const [id, { endsAt }] of box) if (endsAt <= now) box.delete(id)
}
