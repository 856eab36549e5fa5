/**
 * A process of its own: appends access log lines to a file at a steady rate until SIGTERM comes or its parent is gone;
 * then prints how many lines it wrote.
 *
 * Arguments: file, seed, lines per second.
 */
import { appendFileSync } from 'node:fs'
import { accessLines } from './access-line.js'

const BEAT_MS = 20

const [file = 'access.log', seed = '1', rate = '250'] = process.argv.slice(2)
const lines = accessLines(Number(seed))
const startedAt = performance.now()
let written = 0

const timer = setInterval(append, BEAT_MS)
process.once('disconnect', stop)
process.once('SIGTERM', stop)

/** As many whole lines as are due: the rate is steady also when this process is late. */
function append() {
  const due = Math.floor(((performance.now() - startedAt) / 1000) * Number(rate)) - written
  if (due <= 0) return
  let text = ''
  for (let line = 0; line < due; line++) text += lines.next().value
  appendFileSync(file, text)
  written += due
}

function stop() {
  clearInterval(timer)
  console.log(`${written} lines written`)
  process.removeAllListeners('disconnect')
  if (process.connected) process.disconnect()
}
