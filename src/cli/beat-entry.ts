import { armDeadMan } from '../worker/dead-man.js'
import { killGroup } from '../worker/process-group.js'
import type { BeatLaunch } from './beat-launch.js'
import { runBeat } from './beat-run.js'
import { endWith } from './program.js'

/**
 * Entry of the beat that `worker -B` forks: the same beat, but it dies with its worker, also when its own loop is blocked.
 */
// Until the dead-man is armed, the end of a lost parent is seen here only.
process.on('disconnect', () => killGroup(process.pid))
process.once('message', ({ feed, flags }: BeatLaunch) => {
  void endWith(
    async () => {
      await armDeadMan(feed)
      return runBeat(flags)
    },
    () => flags.logLevel,
  )
})
