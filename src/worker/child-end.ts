import type { ChildProcess } from 'node:child_process'
import { BeatlockError } from '../lock/error.js'

/** What others send. A process that breaks by itself ends with an exit code, or with a signal such as SIGSEGV or SIGABRT. */
const KILLS: readonly (string | null)[] = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP']

/** Exit code or signal. A process that could not be started has no pid and never tells of its exit. */
export function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'gone'))
    child.on('error', (error) => {
      if (child.pid === undefined) resolve(error.message)
    })
  })
}

/** Whether a child that is gone was ended by a signal as people and the system send them. */
export function wasKilled({ signalCode }: ChildProcess): boolean {
  return KILLS.includes(signalCode)
}

export function startFailure(message: string, stack?: string): BeatlockError {
  return new BeatlockError('CHILD_START', message, { data: { stack } })
}
