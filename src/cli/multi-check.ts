import { requireModule } from '../task-base/load-app.js'
import { EXIT } from './exit.js'
import type { Planned } from './multi-plan.js'
import { createProgram, type GlobalFlags } from './program.js'
import { addWorkerCommand, readChoice } from './worker.js'

/**
 * What each of these workers would refuse of its command line when it starts is refused here, before one is stopped for it.
 * @throws UsageError, CommanderError
 */
export async function refuseBadOptions(workers: readonly Planned[], { A }: GlobalFlags): Promise<void> {
  if (A !== undefined) requireModule(A)
  for (const { argv } of workers) {
    const program = createProgram('beatlock', 'reads the options of a worker, and starts none')
    addWorkerCommand(program, async (flags) => {
      readChoice(flags)
      return EXIT.done
    })
    await program.parseAsync(argv.slice(1), { from: 'user' })
  }
}
