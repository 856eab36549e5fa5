import { appendFileSync, existsSync, readFileSync } from 'node:fs'

/** What a process of the beat race saw of a message. */
export interface SlotLine {
  /** `sent`: a beat was about to hand it to the engine. `delivered`: a worker was handed it. `ran`: its body began. */
  readonly event: 'sent' | 'delivered' | 'ran'
  readonly id: string
  /** Epoch ms by the host's clock, which is the store's too: both run here. */
  readonly at: number
}

/** O_APPEND and one write a line: lines of many processes never mix. */
export function writeSlotLine(file: string, line: SlotLine): void {
  appendFileSync(file, `${JSON.stringify(line)}\n`)
}

export function readSlotLines(file: string): SlotLine[] {
  if (!existsSync(file)) return []
  const whole = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return whole.map((line) => JSON.parse(line) as SlotLine)
}
