import type { SlotPlan, SlotRequest } from '../../src/beat/misfire.js'
import { dueAt, nextSlot, type Timetable } from '../../src/beat/slot.js'

/** The catch-up rule word for word as the docs say it, over a list of all slots. */
export function byFormula(entry: Timetable, { after, now, catchUp }: SlotRequest): SlotPlan | undefined {
  const due: number[] = []
  for (let at = nextSlot(entry, after); at !== undefined && dueAt(entry, at) <= now; at = nextSlot(entry, at))
    due.push(at)
  if (due.length === 0) return undefined
  const inWindow = due.filter((at) => at >= now - catchUp.windowMs - (entry.jitterMs ?? 0))
  const chosen = catchUp.limit === 0 ? [] : inWindow.slice(-catchUp.limit)
  const before = due.slice(0, due.length - chosen.length)
  const dropped = before.at(-1)
  return {
    fire: chosen,
    missed: dropped === undefined ? null : { slots: before.length, latest: dropped, exact: true },
  }
}
