// croner in several processes: each tick runs in one of them, and none starts while the last one is still at work.
import { App, guard } from 'beatlock'
import { Cron } from 'croner'

const app = new App('reports', { broker: process.env.BEATLOCK_BROKER ?? 'redis://127.0.0.1:6379/0' })
app.on('call:refused', ({ label, holder }) => console.log(`skipped ${label}: ${holder.worker} has it`))

const report = guard(app, { name: 'report' }, async ({ signal, token }) => {
  signal.throwIfAborted()
  console.log(`report written, token ${token}`)
})

const job = new Cron('* * * * * *', { catch: (error) => console.error(error) }, () => report())

process.once('SIGTERM', async () => {
  job.stop()
  await app.close()
})
