import { Queue } from 'bullmq'
import { clientOf } from '../adapters/redis/client.js'
import { App } from '../src/index.js'
import { comparison, type Line } from './line.js'
import { compare } from './sample.js'

/**
 * A guarded `delay` beside BullMQ's own `add`, one at a time and 50 at once. A guarded publish asks for its key before it
 * adds: a bare script and an `add`, one after the other, is the least that it can cost.
 */
export async function guardedPublish({ url }: { readonly url: string }): Promise<Line[]> {
  const app = new App('bench-publish', { broker: url })
  const guarded = app.task('bench.publish', { once: { keys: ['n'] } }, ({ n }: { n: number }) => n)
  const { hostname: host, port } = new URL(url)
  const queue = new Queue('bench-plain', { connection: { host, port: Number(port) } })
  const bare = clientOf(url, 60_000)
  await Promise.all([queue.waitUntilReady(), bare.connect()])
  let turn = 0
  const ours = () => guarded.delay({ n: ++turn })
  const theirs = () => queue.add('bench.publish', { args: [{ n: ++turn }] })
  try {
    const alone = await compare({ ours, theirs }, { rounds: 7, turns: 400 })
    const together = await compare({ ours, theirs }, { rounds: 7, turns: 2_000, atOnce: 50 })
    const least = async () => {
      await bare.eval('return 1', 0)
      await theirs()
    }
    const floor = await compare({ ours: least, theirs }, { rounds: 7, turns: 400 })
    const floorTogether = await compare({ ours: least, theirs }, { rounds: 7, turns: 2_000, atOnce: 50 })
    return [
      comparison('guarded publish, one at a time, beside BullMQ add', alone, '≥ 0.6 ×'),
      comparison('guarded publish, 50 at once, beside BullMQ add', together, '≥ 0.6 ×'),
      comparison('an empty script, then BullMQ add, one at a time', floor, 'the floor'),
      comparison('an empty script, then BullMQ add, 50 at once', floorTogether, 'the floor'),
    ]
  } finally {
    await app.close()
    await queue.obliterate({ force: true })
    await queue.close()
    bare.disconnect()
  }
}
