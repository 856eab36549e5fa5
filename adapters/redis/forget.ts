import type { Connection } from './connection.js'
import { allShards, type Room, type Shard } from './shard.js'

const SCANNED_AT_ONCE = 1_000

/** Removes all that one app has in a room, a bounded batch at a time; other apps' keys are passed over. */
export async function forgetApp(connection: Connection, app: string, room: Room): Promise<void> {
  const shards = allShards(room, app)
  const pattern = escapeGlob((shards[0] as Shard).base).replace('{bl:0}', '{bl:*}')
  for (const server of await connection.servers()) {
    let cursor = '0'
    do {
      const args = [cursor, 'MATCH', `${pattern}*`, 'COUNT', String(SCANNED_AT_ONCE)]
      const [next, keys] = (await server.ask({ command: 'SCAN', args })) as [string, string[]]
      // One key a command: in a cluster, a command's keys share a slot.
      await connection.askAll(keys.map((key) => ({ command: 'UNLINK', args: [key] })))
      cursor = next
    } while (cursor !== '0')
  }
  if (room === 'beat') return
  await connection.askAll(shards.map(({ apps }) => ({ command: 'SREM', args: [apps, app] })))
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, '\\$&')
}
