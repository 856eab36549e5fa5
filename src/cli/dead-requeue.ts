import type { Command } from 'commander'
import { printable } from '../lock/printable.js'
import type { DeadLetterInfo, Requeued } from '../task-base/dead-letters.js'
import { confirmed, needsAnswer } from './confirm.js'
import { letterTable } from './dead-list.js'
import { EXIT, type ExitCode } from './exit.js'
import { findLetters } from './find-letters.js'
import { didNothing, nothingMatches } from './nothing.js'
import { jsonText, print, say } from './print.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { type Target, withTarget } from './target.js'

interface LetterFlags extends GlobalFlags {
  readonly yes?: true
  readonly json?: true
}

/** What one verb did to one letter. */
interface Done {
  readonly letter: DeadLetterInfo
  readonly answer: Requeued | { readonly outcome: 'discarded' | 'unknown' }
}

type Verb = (target: Target, letter: DeadLetterInfo) => Promise<Done['answer']>

const ID = 'a message id, its label, a unique beginning of the id, or a pattern with * and ? over both'
const REQUEUE_EXAMPLES = `
beatlock -A ./app.js dead requeue 01JD2Y3V6W7X8Z9A0B1C2D3E4F
beatlock --app shop dead requeue 'feeds.*' --yes --json`
const DISCARD_EXAMPLES = `
beatlock -A ./app.js dead discard 01JD2Y3V6W7X8Z9A0B1C2D3E4F
beatlock --app shop dead discard '*' --yes`
const REQUEUE_NOTE = `
The same message, its round raised, goes through the same guard as every call: where its key is held it is
parked or refused by its own policy; refused, it stays. An ETA is not waited for again, expires counts anew.
Exit code 1: a message was refused, or the answer was no.`

/** `dead requeue ID|PATTERN`: through the publish guard, as any call. */
export function addDeadRequeue(parent: Command): void {
  const requeue: Verb = (target, { app, id }) => target.of(app).deadLetters.requeue(id)
  addCommand(parent, 'requeue', 'queues messages again that were given up', REQUEUE_EXAMPLES)
    .argument('<id>', ID)
    .option('--yes', 'do not ask; needed where there is no terminal')
    .option('--json', 'an array, one object a message: app, id, label, outcome, round or holder')
    .addHelpText('after', REQUEUE_NOTE)
    .action(exiting((id, _, command: Command) => onLetters('requeue', id, command.optsWithGlobals(), requeue)))
}

/** `dead discard ID|PATTERN`: they are gone for good. */
export function addDeadDiscard(parent: Command): void {
  const discard: Verb = async (target, { app, id }) => ({
    outcome: (await target.of(app).deadLetters.discard(id)) ? 'discarded' : 'unknown',
  })
  addCommand(parent, 'discard', 'forgets messages that were given up', DISCARD_EXAMPLES)
    .argument('<id>', ID)
    .option('--yes', 'do not ask; needed where there is no terminal')
    .option('--json', 'an array, one object a message: app, id, label, outcome')
    .action(exiting((id, _, command: Command) => onLetters('discard', id, command.optsWithGlobals(), discard)))
}

async function onLetters(
  verb: 'requeue' | 'discard',
  pattern: string,
  flags: LetterFlags,
  act: Verb,
): Promise<ExitCode> {
  needsAnswer(`dead ${verb}`, flags)
  return withTarget(flags, `dead ${verb}`, async (target) => {
    say(`dead letters of ${await target.shown()}`)
    const letters = await findLetters(target, pattern)
    if (letters.length === 0) return nothingMatches(pattern, flags)
    if (!flags.yes && !(await agreed(verb, letters))) {
      const what = verb === 'requeue' ? 'nothing was queued again.' : 'nothing was forgotten.'
      return didNothing(what, flags, EXIT.failed)
    }
    return each(letters, target, flags, act)
  })
}

function agreed(verb: 'requeue' | 'discard', letters: readonly DeadLetterInfo[]): Promise<boolean> {
  const these = letters.length === 1 ? 'this message' : `these ${letters.length} messages`
  const question = verb === 'requeue' ? `Queue ${these} again?` : `Forget ${these} for good?`
  return confirmed(letterTable(letters, process.stderr.columns), question)
}

async function each(
  letters: readonly DeadLetterInfo[],
  target: Target,
  flags: LetterFlags,
  act: Verb,
): Promise<ExitCode> {
  const all: Done[] = []
  // The oldest first: in the order in which they were given up.
  for (const letter of [...letters].reverse()) {
    const done = { letter, answer: await act(target, letter) }
    all.push(done)
    if (!flags.json) await print(`${printable(`${letter.label} [${letter.id}]: ${describe(done.answer)}`)}\n`)
  }
  if (flags.json) await print(`${jsonText(all.map(asJson), 2)}\n`)
  return all.some(({ answer }) => answer.outcome === 'refused') ? EXIT.failed : EXIT.done
}

function asJson({ letter: { app, id, label }, answer }: Done): object {
  return { app, id, label, ...answer }
}

function describe(answer: Done['answer']): string {
  switch (answer.outcome) {
    case 'published':
      return `queued again, round ${answer.round}`
    case 'parked':
      return `parked behind ${answer.behind.id}, round ${answer.round}`
    case 'coalesced':
      return `covered by the parked call ${answer.into}`
    case 'refused':
      return `refused, ${answer.holder.id} has its key since ${answer.holder.since}; it stays a dead letter`
    case 'finished':
      return `had been queued again before, and ended: ${answer.ended}`
    case 'discarded':
      return 'forgotten'
    case 'unknown':
      return 'is no dead letter any more'
  }
}
