import type { Command } from 'commander'
import type { ExitCode } from './exit.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'

const EXAMPLES = `
beatlock -A ./app.js beat
beatlock -A ./app.js --broker redis://127.0.0.1:6379/0 beat -l debug
beatlock -A ./app.js beat --store file:./timetable --healthz 127.0.0.1:8080`

/** `beat`: publishes periodic tasks when they are due. Any number may run at once. */
export function addBeatCommand(parent: Command): void {
  addCommand(parent, 'beat', 'publishes periodic tasks when they are due; any number may run at once', EXAMPLES)
    .option(
      '--store <url>',
      "where the timetable is kept, if not on the locks' server: file:PATH, for one beat at a time",
    )
    .option('--max-interval <duration>', 'the longest sleep between two looks at the timetable', '5s')
    .option(
      '--healthz <address>',
      'answers GET /healthz at PORT or HOST:PORT: 200 while it reaches its servers, else 503 and why',
    )
    .addHelpText('after', HELP)
    .action(exiting((_, command: Command) => beat(command.optsWithGlobals<BeatFlags>())))
}

const HELP = `
Entries come from the app's code (beatSchedule, addPeriodicTask) and from \`beatlock schedule add\`. The code's are brought
into the store at the start; those that the code no longer has are removed. While a deploy rolls out, the entries
of the version that came last count, and a beat of an older one that starts again changes none. One beat leads, the
others wait to take over within seconds; \`beatlock status\` shows them.`

export interface BeatFlags extends GlobalFlags {
  readonly maxInterval?: string
  readonly healthz?: string
}

/** Loaded when it is needed: the calendar and the log cost every other command its start. */
async function beat(flags: BeatFlags): Promise<ExitCode> {
  const { runBeat } = await import('./beat-run.js')
  return runBeat(flags)
}
