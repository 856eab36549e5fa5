import { readInstant } from '../beat/instant.js'
import { preview } from '../beat/preview.js'
import { printable } from '../lock/printable.js'
import { EXIT, type ExitCode } from './exit.js'
import { jsonText, print, say } from './print.js'
import type { PreviewFlags } from './schedule-flags.js'

/** `schedule preview TEXT`. */
export async function previewSchedule(text: string, flags: PreviewFlags): Promise<ExitCode> {
  const after = flags.after === undefined ? Date.now() : readInstant(flags.after, '--after')
  const { text: schedule, warnings, slots } = preview({ text, zone: flags.timezone, after, count: Number(flags.count) })
  for (const warning of warnings) say(printable(warning))
  if (flags.json) {
    const rows = slots.map(({ nominal, local }) => ({ nominal: new Date(nominal).toISOString(), local }))
    await print(`${jsonText({ schedule, timezone: flags.timezone, warnings, slots: rows }, 2)}\n`)
  } else {
    await print(slots.map(({ local }) => `${local}\n`).join(''))
    if (slots.length === 0) say('no slot comes after that.')
  }
  return EXIT.done
}
