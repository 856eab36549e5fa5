// A plain BullMQ worker: jobs of one feed never overlap, in however many processes this runs. A job that finds its feed
// busy goes back to the queue instead of waiting in a place that another job could use.
import { App } from 'beatlock'
import { DelayedError, Worker } from 'bullmq'

const url = process.env.BEATLOCK_BROKER ?? 'redis://127.0.0.1:6379/0'
const app = new App('feeds', { broker: url })

const worker = new Worker(
  'feeds',
  async (job, token) => {
    const answer = await app.locks.run('refresh', { key: job.data.feedId }, ({ signal }) => refresh(job.data, signal))
    if (answer.ran) return answer.value
    console.log(`feed ${job.data.feedId} is busy: ${answer.holder.worker} has it`)
    await job.moveToDelayed(Date.now() + 1000, token)
    throw new DelayedError()
  },
  { connection: { host: new URL(url).hostname, port: Number(new URL(url).port || 6379) }, concurrency: 4 },
)
worker.on('error', (error) => console.error(error.message))

/**
 * @param {{ feedId: number }} feed
 * @param {AbortSignal} signal aborted when the lock is lost: stop writing then
 */
async function refresh(feed, signal) {
  signal.throwIfAborted()
  console.log(`feed ${feed.feedId} refreshed`)
}

process.once('SIGTERM', async () => {
  await worker.close()
  await app.close()
})
