import type { Count } from '../lock/counter.js'
import { EXIT, type ExitCode } from './exit.js'
import { jsonText, print, say, terminalWidth } from './print.js'
import type { GlobalFlags } from './program.js'
import { Table } from './table.js'
import { withTarget } from './target.js'

interface TaskCounts {
  readonly app: string
  readonly task: string
  readonly counts: Readonly<Record<string, number>>
}

/** `status --counts`: what became of all calls, by task. */
export async function showCounts(flags: GlobalFlags & { readonly json?: true }): Promise<ExitCode> {
  return withTarget(flags, 'status', async (target) => {
    say(`calls of ${await target.shown()}, as far as their processes have told`)
    const { store } = await target.app.connection()
    const tasks = byTask(await store.counts.read({ allApps: target.scope === 'server' }))
    if (flags.json) await print(`${jsonText(tasks, 2)}\n`)
    else if (tasks.length === 0) say('nothing was counted yet.')
    else await print(new Table(['TASK', 'APP', 'COUNTS'], terminalWidth()).lines(tasks.map(cells)))
    return EXIT.done
  })
}

function byTask(rows: readonly (Count & { readonly app: string })[]): TaskCounts[] {
  const tasks = new Map<string, TaskCounts & { counts: Record<string, number> }>()
  const ordered = [...rows].sort((a, b) => order(a.app, b.app) || order(a.task, b.task) || order(a.name, b.name))
  for (const { app, task, name, n } of ordered) {
    const of = tasks.get(`${app}\n${task}`) ?? { app, task, counts: {} }
    of.counts[name] = n
    tasks.set(`${app}\n${task}`, of)
  }
  return [...tasks.values()]
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function cells({ app, task, counts }: TaskCounts): string[] {
  const texts = Object.entries(counts).map(([name, n]) => `${name} ${n}`)
  return [task, app, texts.join(', ')]
}
