import type { Command } from 'commander'
import type { ExitCode } from './exit.js'
import { addCommand, exiting } from './program.js'
import type {
  EntryFlags,
  HistoryFlags,
  PauseFlags,
  PreviewFlags,
  ResumeFlags,
  ScheduleFlags,
} from './schedule-flags.js'

const TIMES = '\nTimes are shown in the zone of the entry; --json has them in UTC.'
const SOON = '\nBeats that run follow within a second; no beat claims a slot by the old rule once this has answered.'
const SCHEDULES = `
A schedule is one of
  a duration        5m, 90s, 1.5h: on a fixed grid from 1970-01-01T00:00Z
  cron text         '0 3 * * *', with seconds '0 0 3 * * *', @daily; day and weekday: either may match
  crontab …         'crontab 0 3 * * mon-fri': Celery's grammar; day and weekday must both match
  every … from …    'every 1h from 2026-01-01T00:15:00Z'
  at …              'at 2027-01-01T00:00:00Z': once
  solar …           'solar sunset 52.52 13.405': event, latitude, longitude`

/** `schedule`: the stored timetable of an app: what runs when, what became of it, and how to change it while beats run. */
export function addScheduleCommands(parent: Command): void {
  const group = parent.command('schedule').description('what runs when, what became of it; and how to change it')
  addViews(group)
  addEntryCommand(group, 'add', 'adds an entry; its first slot is the next one')
  addEntryCommand(group, 'change', 'changes what is named of an entry, from now on')
  addAlterations(group)
}

function addViews(group: Command): void {
  stored(group, 'list', 'one row an entry: next and last slot, what became of it, policy, state', '')
    .addHelpText('after', TIMES)
    .action(view((views, _, flags) => views.list(flags)))
  stored(group, 'show', 'all about an entry', 'refresh-7')
    .argument('<name>', "the entry's name")
    .action(view((views, name, flags) => views.show(name, flags)))
  stored(group, 'history', 'what was decided about the last slots: outcome, who held the key', 'refresh-7 --limit 50')
    .argument('<name>', "the entry's name")
    .option('--limit <n>', 'at most so many, the newest first; about the last 100 are kept', '20')
    .action(view<HistoryFlags>((views, name, flags) => views.history(name, flags)))
  const examples =
    "beatlock schedule preview '0 3 * * *' --timezone Europe/Berlin\nbeatlock schedule preview 'crontab 0 9 * * mon-fri' -n 10"
  addCommand(group, 'preview', 'the next slots of any schedule, in any zone; needs no server', examples)
    .argument('<schedule>', 'as of an entry, see below')
    .option('--timezone <zone>', 'IANA name', 'UTC')
    .option('-n, --count <n>', 'how many slots', '5')
    .option('--after <instant>', 'slots after this, ISO 8601 with an offset; default: now')
    .option('--json', 'an object: schedule, warnings, slots')
    .addHelpText('after', SCHEDULES)
    .action(
      exiting(async (text: string, _, command: Command) =>
        (await import('./schedule-preview.js')).previewSchedule(text, command.optsWithGlobals<PreviewFlags>()),
      ),
    )
}

function addEntryCommand(group: Command, verb: 'add' | 'change', description: string): void {
  const example =
    verb === 'add'
      ? `refresh-9 --task feeds.refresh --schedule 5m --kwargs '{"feedId": 9}'`
      : 'refresh-9 --schedule 10m'
  stored(group, verb, description, example)
    .argument('<name>', "the entry's name")
    .option('--task <task>', "the task's name")
    .option('--schedule <schedule>', 'when, see below')
    .option('--args <json>', 'arguments in order, a JSON array')
    .option('--kwargs <json>', 'arguments by name, a JSON object')
    .option('--timezone <zone>', "IANA name; default: the app's")
    .option('--overlap <policy>', 'when the key is held: skip, defer, queue, replace or allow')
    .option('--timeout <duration>', 'how long a slot may hold the key without running')
    .option('--queue <queue>', 'default: default')
    .option('--priority <n>', '0 goes first')
    .option('--expires <duration>', 'worthless after')
    .option('--headers <json>', 'texts for the body beside its arguments, a JSON object')
    .option('--catch-up <how>', 'slots that nobody was there for: none, latest or all')
    .option('--catch-up-window <duration>', 'later than this they are missed')
    .option('--catch-up-limit <n>', 'with all: at most so many')
    .option('--jitter <duration>', 'goes out up to this much later')
    .option('--starts-at <instant>', 'no slot before')
    .option('--ends-at <instant>', 'no slot at or after')
    .option('--max-runs <n>', 'finished after so many runs; 1 is a one-off')
    .option('--pause-on-failure', 'pause when a run has failed for good')
    .option('--external', "the task's code is elsewhere")
    .addHelpText('after', SOON)
    .addHelpText('after', SCHEDULES)
    .action(
      exiting(async (name: string, _, command: Command) =>
        (await import('./schedule-entry.js'))[verb](name, command.optsWithGlobals<EntryFlags>()),
      ),
    )
}

function addAlterations(group: Command): void {
  named(
    group,
    'run',
    'runs an entry once, now, beside its slots; whatever its state',
    'Says what became of it, if a beat runs. It counts as one more slot, due now; with --catch-up none or a window a beat\nmust take it in time, else it is missed.',
  )
  named(group, 'enable', 'lets slots come due again, from now on', '')
  named(group, 'disable', 'no slots come due until it is enabled', '')
  named(group, 'pause', 'slots come due and are recorded as paused', '').option(
    '--why <text>',
    'shown by list and show',
  )
  named(group, 'resume', 'ends a pause', '').option(
    '--from <where>',
    'now: what came due meanwhile is passed over; pausedAt: it is caught up with',
    'now',
  )
  named(
    group,
    'remove',
    'removes an entry that was added at run time, and its history',
    "One of the app's code is left: remove it there, or disable it.",
  )
}

type Altering = 'run' | 'enable' | 'disable' | 'pause' | 'resume' | 'remove'

function named(group: Command, verb: Altering, description: string, more: string): Command {
  return stored(group, verb, description, verb === 'remove' ? 'refresh-9' : 'refresh-7')
    .argument('<name>', "the entry's name")
    .addHelpText('after', `${SOON}${more === '' ? '' : `\n${more}`}`)
    .action(
      exiting(async (name: string, _, command: Command) =>
        (await import('./schedule-alter.js')).alter(verb, name, command.optsWithGlobals<ResumeFlags & PauseFlags>()),
      ),
    )
}

function stored(group: Command, verb: string, description: string, example: string): Command {
  const words = `schedule ${verb} ${example}`.trim()
  const examples = `beatlock -A ./app.js ${words}\nbeatlock --app shop --broker redis://127.0.0.1:6379/0 ${words}`
  return addCommand(group, verb, description, examples)
    .option(
      '--store <url>',
      "where the timetable is, if not on the locks' server: file:PATH, as beat's --store; changed only while no beat has it",
    )
    .option('--json', 'for programs: one array or object')
}

type Views = typeof import('./schedule-view.js')

function view<Flags extends ScheduleFlags>(act: (views: Views, name: string, flags: Flags) => Promise<ExitCode>) {
  return exiting(async (...given: unknown[]) => {
    const command = given.at(-1) as Command
    const name = typeof given[0] === 'string' ? given[0] : ''
    return act(await import('./schedule-view.js'), name, command.optsWithGlobals<Flags>())
  })
}
