import { type RedisServer, startRedis } from './redis-server.js'

/** Independent Redis servers of the test's own. */
export interface Quorum {
  readonly nodes: readonly RedisServer[]
  readonly urls: readonly string[]
  /** SIGSTOP; answers how they go on. */
  pause(...which: readonly number[]): () => void
  /** Ends them; `start` brings them back, empty. */
  stop(...which: readonly number[]): Promise<void>
  start(...which: readonly number[]): Promise<void>
  /** All awake, and all there. */
  mend(): Promise<void>
  /** All of them, whatever befell them. */
  remove(): Promise<void>
}

export async function startQuorum(size = 3): Promise<Quorum> {
  const nodes = await Promise.all(Array.from({ length: size }, () => startRedis()))
  const paused = new Set<number>()
  const stopped = new Set<number>()
  const each = (which: readonly number[]): RedisServer[] => which.map((at) => nodes[at] as RedisServer)
  const wake = (pids: readonly number[]): void => {
    for (const pid of pids) if (paused.delete(pid)) process.kill(pid, 'SIGCONT')
  }
  const start = async (...which: readonly number[]): Promise<void> => {
    await Promise.all(each(which).map((node) => node.restart()))
    for (const at of which) stopped.delete(at)
  }
  return {
    nodes,
    urls: nodes.map(({ url }) => url),
    pause(...which) {
      const pids = each(which).map(({ pid }) => pid)
      for (const pid of pids) {
        paused.add(pid)
        process.kill(pid, 'SIGSTOP')
      }
      return () => wake(pids)
    },
    async stop(...which) {
      for (const at of which) stopped.add(at)
      await Promise.all(each(which).map((node) => node.stop()))
    },
    start,
    async mend() {
      wake([...paused])
      await start(...stopped)
    },
    async remove() {
      wake([...paused])
      await Promise.all(nodes.map((node) => node.stop()))
    },
  }
}
