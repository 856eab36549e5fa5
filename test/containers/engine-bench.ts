import type { Engine } from '../../src/task-base/engine.js'
import type { EngineBench } from '../contract/index.js'

/** One test's engine with what a contract asks of it. */
export async function engineBenchOf(open: () => Promise<Engine>): Promise<EngineBench> {
  const engines: Engine[] = []
  const another = async (): Promise<Engine> => {
    const engine = await open()
    engines.push(engine)
    return engine
  }
  const engine = await another()
  const close = async (queues: readonly string[]): Promise<void> => {
    await engine.destroy(queues)
    for (const each of engines) await each.close()
  }
  return { engine, another, close }
}
