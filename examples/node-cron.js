// node-cron in several processes: each tick runs in one of them, and none starts while the last one is still at work.
import { App, guard } from 'beatlock'
import cron from 'node-cron'

const app = new App('reports', { broker: process.env.BEATLOCK_BROKER ?? 'redis://127.0.0.1:6379/0' })
app.on('call:refused', ({ label, holder }) => console.log(`skipped ${label}: ${holder.worker} has it`))

const report = guard(app, { name: 'report' }, async ({ signal, token }) => {
  signal.throwIfAborted()
  console.log(`report written, token ${token}`)
})

const task = cron.schedule('* * * * * *', async () => {
  await report().catch((error) => console.error(error.message))
})

process.once('SIGTERM', async () => {
  await task.destroy()
  await app.close()
})
