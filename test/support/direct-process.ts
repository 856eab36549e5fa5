import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { App } from '../../src/index.js'

/** A process that uses locks directly: `node direct-process.js '<DirectSpec as JSON>'`. */
export type DirectSpec = { readonly app: string; readonly broker: string; readonly lease: '5s' | '10s' } & (
  | {
      /** Raises the number in a file by reading, pausing and writing, so that any overlap loses an increment. */
      readonly do: 'count'
      readonly file: string
      readonly contenders: number
      readonly times: number
    }
  /** Holds `name` until it is killed; says `holding` by IPC, and `lost` when it is. */
  | { readonly do: 'hold'; readonly name: string }
)

const spec = JSON.parse(process.argv[2] ?? '') as DirectSpec
const app = new App(spec.app, { broker: spec.broker, locks: { lease: spec.lease } })
if (spec.do === 'count') {
  const { file, times } = spec
  await Promise.all(Array.from({ length: spec.contenders }, () => contend(file, times)))
  await app.close()
  process.exit(0)
}
await app.locks.run(spec.name, {}, async ({ signal }) => {
  process.send?.('holding')
  signal.addEventListener('abort', () => process.send?.('lost'))
  await new Promise(() => {})
})

async function contend(file: string, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    const answer = await app.locks.run('counter', { wait: '2m' }, async () => {
      const read = Number(readFileSync(file, 'utf8'))
      await sleep(Math.random() * 3)
      writeFileSync(file, String(read + 1))
    })
    if (!answer.ran) throw new Error('a contender was refused')
  }
}
