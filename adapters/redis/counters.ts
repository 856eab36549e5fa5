import type { Count, CounterStore } from '../../src/lock/counter.js'
import { scriptOn } from './argument.js'
import type { Connection } from './connection.js'
import { fieldsOf, numberOf } from './reply.js'
import { COUNT } from './scripts/counter.js'
import { appsOf, directoryShard } from './worker-row.js'

/** Totals in one hash of the app's directory shard. */
export function redisCounters(connection: Connection, app: string): CounterStore {
  return {
    async add(requestId, counts) {
      const args = counts.flatMap(({ task, name, n }) => [task, name, n])
      await connection.ask(scriptOn(directoryShard(app), app, COUNT, [requestId, ...args]))
    },
    async read({ allApps }) {
      const apps = allApps ? await appsOf(connection) : [app]
      const replies = await connection.askAll(
        apps.map((each) => ({ command: 'HGETALL', args: [`${directoryShard(each).base}counts`] })),
      )
      return replies.flatMap((reply, at) => countsOf(apps[at] as string, fieldsOf(reply)))
    },
  }
}

function countsOf(app: string, flat: readonly unknown[]): (Count & { app: string })[] {
  const counts: (Count & { app: string })[] = []
  for (let at = 0; at < flat.length; at += 2) {
    const [task = '', name = ''] = String(flat[at]).split('\n')
    counts.push({ app, task, name, n: numberOf(flat[at + 1]) })
  }
  return counts
}
