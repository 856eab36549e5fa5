import { Queue } from 'bullmq'
import { App } from '../src/index.js'
import { comparison, type Line } from './line.js'
import { compare } from './sample.js'

/** A guarded `delay` beside BullMQ's own `add`, one at a time and 50 at once. */
export async function guardedPublish({ url }: { readonly url: string }): Promise<Line[]> {
  const app = new App('bench-publish', { broker: url })
  const guarded = app.task('bench.publish', { once: { keys: ['n'] } }, ({ n }: { n: number }) => n)
  const { hostname: host, port } = new URL(url)
  const queue = new Queue('bench-plain', { connection: { host, port: Number(port) } })
  await queue.waitUntilReady()
  let turn = 0
  const ours = () => guarded.delay({ n: ++turn })
  const theirs = () => queue.add('bench.publish', { args: [{ n: ++turn }] })
  try {
    const alone = await compare({ ours, theirs }, { rounds: 7, turns: 400 })
    const together = await compare({ ours, theirs }, { rounds: 7, turns: 2_000, atOnce: 50 })
    return [
      comparison('guarded publish, one at a time, beside BullMQ add', alone, '≥ 0.6 ×'),
      comparison('guarded publish, 50 at once, beside BullMQ add', together, '≥ 0.6 ×'),
    ]
  } finally {
    await app.close()
    await queue.obliterate({ force: true })
    await queue.close()
  }
}
