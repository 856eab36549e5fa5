import type { Command } from 'commander'
import { addDeadList } from './dead-list.js'
import { addDeadDiscard, addDeadRequeue } from './dead-requeue.js'
import { addDeadShow } from './dead-show.js'

const WHAT = `
A dead letter is a message that was given up without a word of its task: it was started three times and its
process died each time (MAX_DELIVERIES), its lock was lost for good (LOCK_LOST), or no worker knew its task for
an hour (UNKNOWN_TASK). Its whole message is kept: at most 1,000 an app, the newest, for 7 days.
A task that threw or ran into its time limit has failed: see result ID; that is no dead letter.
After the cause is mended: beatlock dead requeue ID.`

/** `dead list|show|requeue|discard`: messages that were given up. */
export function addDeadCommands(program: Command): void {
  const dead = program.command('dead').description('messages that were given up; and how to queue them again')
  dead.addHelpText('after', WHAT)
  addDeadList(dead)
  addDeadShow(dead)
  addDeadRequeue(dead)
  addDeadDiscard(dead)
}
