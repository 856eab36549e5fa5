import type { App } from '../task-base/app.js'

/** No message has this id. */
const NOBODY = 'probe'

/** One round trip to the locks and one to the broker: rejects while either is away. */
export function probeOf(app: App): () => Promise<void> {
  return async () => {
    const { store, servers } = await app.connection()
    await store.now()
    await servers.engine.state('default', NOBODY)
  }
}
