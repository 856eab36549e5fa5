// A stale writer, refused: node examples/fenced-writer/run.js (needs a Redis: BEATLOCK_BROKER, default 127.0.0.1:6379).
//
// The first of two processes is stopped for longer than its lease, as by a suspended machine. The second one gets the lock
// and writes. Then the first goes on where it stood and writes, too.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'

const url = process.env.BEATLOCK_BROKER ?? 'redis://127.0.0.1:6379/0'
const report = `fenced-writer:{${process.pid}-${Date.now()}}`
const redis = new Redis(url, { retryStrategy: null, lazyConnect: true })
redis.on('error', () => {})
/** @type {import('node:child_process').ChildProcess[]} */
const children = []
const written = [`${report}:plain`, `${report}:fenced`]
// A stopped process hears of no Ctrl-C.
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))

/** @param {string} name */
function start(name) {
  const child = fork(fileURLToPath(new URL('./writer.js', import.meta.url)), [url, name, report])
  children.push(child)
  /** @type {() => Promise<Record<string, unknown>>} what it tells next */
  const tells = async () => {
    const told = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => undefined)])
    if (!told) throw new Error(`${name} ended too early`)
    return told[0]
  }
  return { child, tells }
}

try {
  await redis.connect()
  const first = start('first')
  const { token, key } = await first.tells()
  written.push(`beatlock:fence:${report.slice(report.indexOf('{'))}:fenced-writer:${key}`)
  first.child.kill('SIGSTOP')
  console.log(`first   has the lock with token ${token}, and is stopped (SIGSTOP) before it writes`)
  const stoppedAt = Date.now()
  const second = start('second')
  const granted = await second.tells()
  console.log(
    `second  has it with token ${granted.token}, ${((Date.now() - stoppedAt) / 1000).toFixed(1)} s later, and writes`,
  )
  const done = second.tells()
  second.child.send('write')
  await done
  console.log('first   goes on (SIGCONT), and writes what it has')
  const answer = first.tells()
  first.child.kill('SIGCONT')
  first.child.send('write')
  const { refused } = await answer
  console.log(`        its fenced write is refused: ${refused}`)
  console.log(`\nreport by plain SET:      ${await redis.get(`${report}:plain`)}`)
  console.log(`report by fencedWrite():  ${await redis.get(`${report}:fenced`)}`)
  process.exitCode = refused ? 0 : 1
} catch (error) {
  console.error(`${new URL(url).host}: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
} finally {
  for (const child of children) child.kill('SIGKILL')
  if (redis.status === 'ready') await redis.del(written)
  redis.disconnect()
}
