// Its package has types, but not where a modern resolution looks for them: what the bench uses of it.
declare module 'redlock' {
  import type { Redis } from 'ioredis'

  export default class Redlock {
    constructor(clients: readonly Redis[], settings: { readonly retryCount: number })
    on(event: 'error', listener: (error: Error) => void): this
    acquire(resources: readonly string[], durationMs: number): Promise<{ release(): Promise<unknown> }>
  }
}
