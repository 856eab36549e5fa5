import type { Command } from 'commander'
import { formatDuration } from '../lock/duration.js'
import type { DeadLetterInfo } from '../task-base/dead-letters.js'
import { EXIT, type ExitCode } from './exit.js'
import { jsonText, print, say, terminalWidth } from './print.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { Table } from './table.js'
import { withTarget } from './target.js'

interface ListFlags extends GlobalFlags {
  readonly task?: string
  readonly json?: true
}

const HEADER = ['LABEL', 'WHY', 'AGE', 'ROUND', 'QUEUE', 'APP', 'ID']
const EXAMPLES = `
beatlock -A ./app.js dead list
beatlock --broker redis://127.0.0.1:6379/0 dead list --json`

/** `dead list`: the letters of one app, or of all apps of the server; the newest first. */
export function addDeadList(parent: Command): void {
  addCommand(parent, 'list', 'the messages that were given up, the newest first', EXAMPLES)
    .option('--task <task>', 'only messages of this task')
    .option('--json', 'an array, one object a message')
    .action(exiting((_, command: Command) => list(command.optsWithGlobals<ListFlags>())))
}

async function list({ task, json, ...flags }: ListFlags): Promise<ExitCode> {
  return withTarget(flags, 'dead list', async (target) => {
    say(`dead letters of ${await target.shown()}`)
    const all = await target.app.deadLetters.list({ allApps: target.scope === 'server' })
    const letters = all.filter((letter) => task === undefined || letter.task === task)
    if (json) await print(`${jsonText(letters, 2)}\n`)
    else if (letters.length > 0) await print(letterTable(letters, terminalWidth()))
    else say('there is none.')
    return EXIT.done
  })
}

export function letterTable(letters: readonly DeadLetterInfo[], width: number | undefined): string {
  return new Table(HEADER, width).lines(letters.map(cells))
}

function cells({ label, code, buriedAt, round, queue, app, id }: DeadLetterInfo): string[] {
  const age = formatDuration(Math.max(0, Date.now() - Date.parse(buriedAt)))
  return [label, code, age, String(round), queue, app, id]
}
