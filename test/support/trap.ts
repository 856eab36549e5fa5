import type { Connection } from '../../src/task-base/connection.js'

/** A fault at a precise line: what happens just before or after a step of the process that is under test. */
export interface Trap {
  readonly at: 'acquire' | 'run' | 'release' | 'publish' | 'confirm'
  readonly when: 'before' | 'after'
  /** `die`: SIGKILL of this process. `stop`: SIGSTOP. `lose`: the step is carried out, its reply is lost on the way. */
  readonly do: 'die' | 'stop' | 'lose'
  /** At which of these steps; default: the first. */
  readonly nth?: number
}

/** Sets the trap into the ports that the guards are handed; it springs once. */
export function setTrap(connection: Connection, trap: Trap, loseNextReply: () => void): void {
  const { store } = connection
  const { engine } = connection.servers
  let steps = 0
  const spring = (): void => {
    steps += 1
    if (steps !== (trap.nth ?? 1)) return
    process.send?.({ say: 'sprung' })
    if (trap.do === 'lose') loseNextReply()
    else process.kill(process.pid, trap.do === 'die' ? 'SIGKILL' : 'SIGSTOP')
  }
  const around = <A extends unknown[], R>(
    step: (...args: A) => Promise<R>,
    applies: (...args: A) => boolean = () => true,
  ) => {
    return async (...args: A): Promise<R> => {
      if (trap.when === 'before' && applies(...args)) spring()
      const answer = await step(...args)
      if (trap.when === 'after' && applies(...args)) spring()
      return answer
    }
  }
  if (trap.at === 'acquire') store.acquire = around(store.acquire.bind(store))
  if (trap.at === 'release') store.release = around(store.release.bind(store))
  if (trap.at === 'confirm') store.confirm = around(store.confirm.bind(store))
  if (trap.at === 'publish') engine.publish = around(engine.publish.bind(engine))
  if (trap.at === 'run') {
    const advance = store.advance.bind(store) as (step: { to: string }) => Promise<never>
    store.advance = around(advance, (step) => step.to === 'running') as typeof store.advance
  }
}
