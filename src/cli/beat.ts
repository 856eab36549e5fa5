import type { Command } from 'commander'
import type { ExitCode } from './exit.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'

const EXAMPLES = `
beatlock -A ./app.js beat
beatlock -A ./app.js --broker redis://127.0.0.1:6379/0 beat -l debug`

/** `beat`: publishes periodic tasks when they are due. Any number may run at once. */
export function addBeatCommand(parent: Command): void {
  addCommand(parent, 'beat', 'publishes periodic tasks when they are due; any number may run at once', EXAMPLES).action(
    exiting((_, command: Command) => beat(command.optsWithGlobals<GlobalFlags>())),
  )
}

/** Loaded when it is needed: the calendar and the log cost every other command its start. */
async function beat(flags: GlobalFlags): Promise<ExitCode> {
  const { runBeat } = await import('./beat-run.js')
  return runBeat(flags)
}
