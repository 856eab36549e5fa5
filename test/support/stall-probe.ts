import { workerData } from 'node:worker_threads'
import { LAST, LATE_NS, NAP_MS, STALLS, WRITTEN } from './machine-time.js'

/** A thread that does nothing but sleep, and writes down when it was woken late: see machine-time.ts. */
const notes = new BigInt64Array(workerData as SharedArrayBuffer)
const never = new Int32Array(new SharedArrayBuffer(4))
const napNs = BigInt(NAP_MS) * 1_000_000n
let last = process.hrtime.bigint()
for (;;) {
  Atomics.wait(never, 0, 0, NAP_MS)
  const now = process.hrtime.bigint()
  if (now - last - napNs > LATE_NS) {
    const written = Number(notes[WRITTEN])
    const at = STALLS.from + 2 * (written % STALLS.kept)
    notes[at] = last + napNs
    notes[at + 1] = now
    Atomics.store(notes, WRITTEN, BigInt(written + 1))
  }
  last = now
  Atomics.store(notes, LAST, now)
}
