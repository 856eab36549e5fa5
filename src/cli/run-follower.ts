import type { App } from '../task-base/app.js'
import type { EventSubject } from '../task-base/event.js'

const SHOWN = 3

/** Keeps count of the bodies that run, to say what a stop waits for. */
export function followRuns(app: App): { text(): string | undefined } {
  const running = new Map<string, string>()
  const ended = ({ id }: EventSubject) => void running.delete(id)
  app.on('run:started', ({ id, label }) => void running.set(id, label))
  app.on('run:ended', ended)
  app.on('run:retried', ended)
  app.on('run:crashed', ended)
  app.on('run:lost', ended)
  app.on('run:unstarted', ended)
  return { text: () => runsText([...running.values()]) }
}

/** `2 runs (rollup.hourly, feeds.refresh feedId=7)`; undefined for none. Pure. */
export function runsText(labels: readonly string[]): string | undefined {
  if (labels.length === 0) return undefined
  const names = labels.slice(0, SHOWN).join(', ')
  return `${labels.length} ${labels.length === 1 ? 'run' : 'runs'} (${names}${labels.length > SHOWN ? ', …' : ''})`
}
