import type { FinalOutcome } from '../../src/lock/outcome.js'
import type { BodyLine } from './body-log.js'

/** What a publisher was told about one call. Instants are monotonic ns, as in the body log. */
export interface Ack {
  readonly id: string
  readonly key: string
  readonly outcome: 'published' | 'parked' | 'coalesced' | 'rejected'
  /** Just before the call. */
  readonly askedNs: bigint
}

/** What the store says about a message at the end; null: neither an outcome nor a hold. */
export interface Ending {
  readonly outcome: FinalOutcome
  readonly token: number | null
  readonly code?: string | null
}

/** A process that a test stopped and woke, or killed (`toNs` null). */
export interface Struck {
  readonly pid: number
  readonly fromNs: bigint
  readonly toNs: bigint | null
  /** When it was seen to be gone after it woke; null: it was not, for longer than its dead-man may take. */
  readonly goneNs: bigint | null
}

/** A worker heard from the store that the end of a run is written down. */
export interface Recorded {
  readonly id: string
  readonly token: number
  readonly ns: bigint
}

export interface Evidence {
  readonly lines: readonly BodyLine[]
  readonly acks: readonly Ack[]
  readonly endings: ReadonlyMap<string, Ending | null>
  readonly recorded: readonly Recorded[]
  /** Keys still locked, after everything has come to rest. */
  readonly locks: readonly string[]
  readonly limit: number
  readonly struck: readonly Struck[]
}

/** How long a woken process may run on under a lost lease (promise 2). */
const WAKE_UP_NS = 250_000_000n
/** These end a message for a recorded reason, without a run that covers it. */
const REVOKED: readonly FinalOutcome[] = ['expired', 'revoked', 'cleared', 'purged', 'replaced']

/** What was found wrong with some promises. */
export interface Judgement {
  readonly promises: string
  readonly found: readonly string[]
}

/** What the lock promises, one after the other. Pure. */
export function judge(evidence: Evidence): Judgement[] {
  return [
    { promises: 'P1 P2', found: overlaps(evidence) },
    { promises: 'P3', found: tokensOutOfOrder(evidence) },
    { promises: 'P10 P11 P13', found: wrongEndings(evidence) },
    { promises: 'P18', found: uncoveredCalls(evidence) },
    { promises: 'P8', found: evidence.locks.map((key) => `key ${key} is still locked`) },
  ]
}

/** All violations as sentences; none is what a test wants. */
export function violations(evidence: Evidence): string[] {
  return judge(evidence).flatMap(({ found }) => found)
}

/** [P1] [P2] At no instant more bodies of a key than its limit. */
export function overlaps({ lines, limit, struck }: Pick<Evidence, 'lines' | 'limit' | 'struck'>): string[] {
  return [...byKey(lines)].flatMap(([key, own]) => [
    ...crowded(key, own, limit),
    ...tooDeep(key, own, { limit, struck }),
  ])
}

/** What bodies saw at their start. */
function crowded(key: string, lines: readonly BodyLine[], limit: number): string[] {
  return lines
    .filter((line) => line.event === 'start' && line.beside.length >= limit)
    .map((line) => `key ${key}: the body of token ${line.token} began beside those of ${line.beside.join(', ')}`)
}

/** Each body counts from its start to its last sign of life. */
function tooDeep(
  key: string,
  lines: readonly BodyLine[],
  { limit, struck }: Pick<Evidence, 'limit' | 'struck'>,
): string[] {
  const found: string[] = []
  const bodies = [...lifetimes(lines.filter((line) => line.event === 'start' || !justWoken(line, struck))).values()]
  for (const body of bodies) {
    const others = bodies.filter((other) => other !== body && other.from <= body.from && other.to > body.from)
    if (others.length < limit) continue
    found.push(
      `key ${key}: the body of token ${body.token} ran beside ${others.map((other) => other.token).join(', ')}`,
    )
  }
  return found
}

interface Lifetime {
  readonly token: number
  readonly from: bigint
  to: bigint
}

function lifetimes(lines: readonly BodyLine[]): Map<number, Lifetime> {
  const bodies = new Map<number, Lifetime>()
  for (const { event, token, ns } of lines) {
    const body = bodies.get(token)
    if (body) body.to = ns
    else if (event === 'start') bodies.set(token, { token, from: ns, to: ns })
  }
  return bodies
}

/** Until its dead-man has acted, a woken process may run on under a lost lease. */
function justWoken(line: BodyLine, struck: readonly Struck[]): boolean {
  return struck.some(
    ({ pid, toNs }) => pid === line.pid && toNs !== null && line.ns >= toNs && line.ns < toNs + WAKE_UP_NS,
  )
}

/** [P3] A later body of a key has a higher token, and no token runs twice. */
function tokensOutOfOrder({ lines }: Pick<Evidence, 'lines'>): string[] {
  return [...byKey(lines)].flatMap(([key, own]) => {
    const tokens = own.filter((line) => line.event === 'start').map((line) => line.token)
    return tokens
      .slice(1)
      .flatMap((token, at) =>
        token > (tokens[at] as number) ? [] : [`key ${key}: token ${token} began after token ${tokens[at]}`],
      )
  })
}

/** [P10] [P11] [P13] One recorded end a message, and the bodies agree with it. */
function wrongEndings(evidence: Omit<Evidence, 'locks' | 'limit'>): string[] {
  return evidence.acks.flatMap(({ id, outcome }) => {
    const ending = evidence.endings.get(id) ?? null
    const own = evidence.lines.filter((line) => line.id === id)
    const finished = own.filter((line) => line.event === 'end').map((line) => line.token)
    if (outcome === 'rejected') return own.length > 0 ? [`call ${id} was rejected and ran`] : []
    if (!ending) return [`${outcome} call ${id} has no recorded end`]
    const found = ranAgain(id, own, evidence)
    if (ending.outcome === 'ran' && !finished.includes(ending.token ?? 0))
      found.push(`call ${id} is recorded as ran under token ${ending.token}, its bodies ended under [${finished}]`)
    if (ending.outcome === 'coalesced' && own.length > 0) found.push(`call ${id} is recorded as coalesced and ran`)
    return found
  })
}

/** A message that ran to its end runs again only if a fault struck child or parent before that end was written down. */
function ranAgain(id: string, own: readonly BodyLine[], evidence: Omit<Evidence, 'locks' | 'limit'>): string[] {
  const starts = own.filter((line) => line.event === 'start')
  const ends = own.filter((line) => line.event === 'end')
  return ends.flatMap((end) => {
    const next = starts.find((start) => start.ns > end.ns)
    if (!next) return []
    const untold = !writtenDown(end, next, evidence) && evidence.struck.some((fault) => silenced(fault, end, next))
    return untold ? [] : [`call ${id} ran to its end under token ${end.token} and again under ${next.token}`]
  })
}

/** Once the store has a run's end, it keeps it as the message's outcome: no fault excuses another run. */
function writtenDown(end: BodyLine, next: BodyLine, { recorded, endings }: Pick<Evidence, 'recorded' | 'endings'>) {
  const heard = recorded.some(({ id, token, ns }) => id === end.id && token === end.token && ns < next.ns)
  return heard || endings.get(end.id)?.token === end.token
}

/** Whether a fault kept the news of an end from the record: child or parent dead or stopped after it. */
function silenced(fault: Struck, end: BodyLine, next: BodyLine): boolean {
  const { pid, fromNs, toNs, goneNs } = fault
  if ((pid !== end.pid && pid !== end.parent) || fromNs >= next.ns) return false
  if (toNs === null || toNs > end.ns) return true
  // Woken past its deadline, it came to its end in the moment before its dead-man killed it.
  return pid === end.pid && justWoken(end, [fault]) && goneNs !== null && goneNs < toNs + WAKE_UP_NS
}

/** [P18] Every deferred call that was accepted is followed by a run of its key, or its end was recorded as revoked. */
function uncoveredCalls({ lines, acks, endings }: Pick<Evidence, 'lines' | 'acks' | 'endings'>): string[] {
  return acks
    .filter(({ outcome }) => outcome === 'parked' || outcome === 'coalesced')
    .filter(({ id }) => !REVOKED.includes(endings.get(id)?.outcome ?? 'ran'))
    .filter((ack) => !lines.some((line) => line.event === 'start' && line.key === ack.key && line.ns > ack.askedNs))
    .map(({ id, key, outcome }) => `${outcome} call ${id}: no run of ${key} began after it`)
}

function byKey(lines: readonly BodyLine[]): Map<string, BodyLine[]> {
  const keys = new Map<string, BodyLine[]>()
  for (const line of [...lines].sort((a, b) => (a.ns < b.ns ? -1 : 1))) {
    keys.set(line.key, [...(keys.get(line.key) ?? []), line])
  }
  return keys
}
