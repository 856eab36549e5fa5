import { appendFileSync, existsSync, readFileSync } from 'node:fs'

/** One line of the file that all bodies of a test append to: what really ran, whatever locks and queues say. */
export interface BodyLine {
  readonly key: string
  readonly token: number
  readonly id: string
  readonly attempt: number
  /** `stop`: ended because it was told to, its work undone. A killed body writes neither `end` nor `stop`. */
  readonly event: 'start' | 'tick' | 'end' | 'stop'
  readonly pid: number
  /** The worker's own process, which writes down how the body ended. */
  readonly parent: number
  /** Monotonic; one clock for all processes of the host. */
  readonly ns: bigint
  /** At a start: tokens of the key whose bodies had not ended and whose processes were running right then. */
  readonly beside: readonly number[]
}

const PARENT = process.ppid

/** The body's own part of a line. */
export type BodyName = Pick<BodyLine, 'key' | 'token' | 'id' | 'attempt'>

/** O_APPEND and one write a line: lines of many processes never mix. */
export function writeLine(file: string, body: BodyName, event: BodyLine['event']): void {
  const beside = event === 'start' ? runningBeside(file, body) : []
  const ns = String(process.hrtime.bigint())
  appendFileSync(file, `${JSON.stringify({ ...body, event, pid: process.pid, parent: PARENT, ns, beside })}\n`)
}

/** A body that lasts until it is told to end looks for this file. */
export function finishFile(log: string, id: string): string {
  return `${log}-finish-${id}`
}

export function readLines(file: string, of = ''): BodyLine[] {
  if (!existsSync(file)) return []
  const whole = readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.includes(of))
  return whole.map((line) => {
    const read = JSON.parse(line) as BodyLine & { ns: string }
    return { ...read, ns: BigInt(read.ns) }
  })
}

/** A body that was killed writes no end: only its process can tell, and whoever starts next looks at it. */
function runningBeside(file: string, { key }: BodyName): number[] {
  const open = new Map<number, number>()
  for (const line of readLines(file, `"${key}"`)) {
    if (line.event === 'start') open.set(line.token, line.pid)
    else if (line.event !== 'tick') open.delete(line.token)
  }
  return [...open].filter(([, pid]) => pid !== process.pid && processState(pid) === 'running').map(([token]) => token)
}

/** A zombie is gone; a stopped process runs nothing until it is woken. */
export function processState(pid: number): 'running' | 'stopped' | 'gone' {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const state = stat.charAt(stat.lastIndexOf(')') + 2)
    if (state === 'Z' || state === 'X') return 'gone'
    return state === 'T' || state === 't' ? 'stopped' : 'running'
  } catch {
    return 'gone'
  }
}
