import { fileURLToPath } from 'node:url'
import { BeatlockError, ServerUnavailable, UsageError } from 'beatlock'
import { CommanderError } from 'commander'
import { CrewLost } from './crew.js'
import { demonstrate } from './demonstration.js'
import { Interrupted, listenForInterrupts } from './interrupt.js'
import { readOptions } from './options.js'

/**
 * The demonstration. Answers its exit code: 0 shown, 1 a guarded part failed, 2 wrong usage, 69 server unreachable.
 *
 * @param {readonly string[]} argv
 * @returns {Promise<number>}
 */
export async function main(argv) {
  const interrupts = listenForInterrupts()
  try {
    return (await demonstrate(readOptions(argv), interrupts)) ? 0 : 1
  } catch (error) {
    return exitCodeOf(error)
  } finally {
    interrupts.dispose()
  }
}

/**
 * Says what went wrong, in a sentence where it was foreseen.
 *
 * @param {unknown} error
 */
function exitCodeOf(error) {
  // Commander has already said it.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof Interrupted) return error.exitCode
  console.error(error instanceof BeatlockError || error instanceof CrewLost ? error.message : error)
  if (error instanceof UsageError) return 2
  if (error instanceof ServerUnavailable) return 69
  return error instanceof CrewLost ? error.exitCode : 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2))
