import type { Command } from 'commander'
import { printable } from '../lock/printable.js'
import type { DeadLetterDetail } from '../task-base/dead-letters.js'
import { EXIT, type ExitCode } from './exit.js'
import { findLetters } from './find-letters.js'
import { nothingMatches } from './nothing.js'
import { jsonText, print, say } from './print.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { withTarget } from './target.js'

interface ShowFlags extends GlobalFlags {
  readonly json?: true
}

const EXAMPLES = `
beatlock -A ./app.js dead show 01JD2Y3V6W7X8Z9A0B1C2D3E4F
beatlock --app shop dead show 'feeds.refresh feedId=7' --json`

/** `dead show ID`: one letter with its arguments. */
export function addDeadShow(parent: Command): void {
  addCommand(parent, 'show', 'a message that was given up, with its arguments', EXAMPLES)
    .argument('<id>', 'a message id, its label, a unique beginning of the id, or a pattern with * and ? over both')
    .option('--json', 'an array, one object a message; args is null where they are hidden')
    .action(exiting((id: string, _, command: Command) => show(id, command.optsWithGlobals<ShowFlags>())))
}

async function show(pattern: string, flags: ShowFlags): Promise<ExitCode> {
  return withTarget(flags, 'dead show', async (target) => {
    say(`dead letters of ${await target.shown()}`)
    const details: DeadLetterDetail[] = []
    for (const { app, id } of await findLetters(target, pattern)) {
      const detail = await target.of(app).deadLetters.show(id)
      if (detail) details.push(detail)
    }
    if (details.length === 0) return nothingMatches(pattern, flags)
    await print(flags.json ? `${jsonText(details, 2)}\n` : details.map(describe).join('\n'))
    return EXIT.done
  })
}

function describe({ label, args, ...facts }: DeadLetterDetail): string {
  const lines = Object.entries(facts).map(([name, value]) => `  ${name.padEnd(11)} ${printable(String(value))}`)
  const text = args === null ? '(hidden)' : printable(JSON.stringify(args))
  return [printable(label), ...lines, `  ${'args'.padEnd(11)} ${text}`, ''].join('\n')
}
