import type { Command } from 'commander'
import { UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'
import type { Revocation } from '../task-base/revoke.js'
import { EXIT, type ExitCode } from './exit.js'
import { operator } from './operator.js'
import { jsonText, print, say } from './print.js'
import { addCommand, exiting, type GlobalFlags } from './program.js'
import { withTarget } from './target.js'

interface RevokeFlags extends GlobalFlags {
  readonly terminate?: true
  readonly task?: string
  readonly json?: true
}

const EXAMPLES = `
beatlock -A ./app.js revoke 01JD2Y3V6W7X8Z9A0B1C2D3E4F
beatlock --app shop revoke order-7 --terminate --json`
const NOTE = `
A call that waits never runs; its key is free at once and the next parked call has its turn. A call that runs is
left alone without --terminate. Exit code 1: it runs and was left alone, or had ended; 3: nothing is known of it.`

/** `revoke ID`: takes one call back. */
export function addRevokeCommand(parent: Command): void {
  addCommand(parent, 'revoke', 'takes a call back: waiting it never runs, running it is stopped if told so', EXAMPLES)
    .argument('<id>', "the call's message id: the holder in locks list")
    .option('--terminate', 'also stop it if it runs: its signal is aborted, then its process killed')
    .option('--task <task>', 'its task: finds also a call without a lock that waits in a queue which nobody serves')
    .option('--json', 'an object: id, outcome, holder or ended')
    .addHelpText('after', NOTE)
    .action(exiting((id: string, _, command: Command) => revoke(id, command.optsWithGlobals<RevokeFlags>())))
}

async function revoke(id: string, flags: RevokeFlags): Promise<ExitCode> {
  const { terminate = false, task, json } = flags
  return withTarget(flags, 'revoke', async ({ app, scope }) => {
    if (scope === 'server') throw new UsageError('revoke needs the app: -A ./app.js, or --app NAME.')
    const answer = await app.revoke(id, { terminate, by: operator(), ...(task === undefined ? {} : { task }) })
    if (json) await print(`${jsonText({ id, ...answer })}\n`)
    else if (answer.outcome === 'unknown') say(`nothing is known of '${printable(id)}'.`)
    else await print(`${printable(describe(id, answer))}\n`)
    return exitOf(answer)
  })
}

function exitOf({ outcome }: Revocation): ExitCode {
  if (outcome === 'unknown') return EXIT.nothing
  return outcome === 'revoked' || outcome === 'cancelled' ? EXIT.done : EXIT.failed
}

function describe(id: string, answer: Revocation): string {
  switch (answer.outcome) {
    case 'revoked':
      return `revoked ${id}: it will not run`
    case 'cancelled':
      return `stopping ${id}${workerText(answer.holder.worker)}: its key is free when its body has ended`
    case 'running':
      return `left ${id} alone: it runs${workerText(answer.holder.worker)}; --terminate stops it`
    case 'finished':
      return `${id} had ended: ${answer.ended}`
    case 'unknown':
      return `nothing is known of ${id}`
  }
}

function workerText(worker: string | undefined): string {
  return worker === undefined ? '' : ` on ${worker}`
}
