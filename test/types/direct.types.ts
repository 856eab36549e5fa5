import { type App, type DirectLock, guard } from '../../src/index.js'

/** Compiled, never run: what the compiler must accept and refuse. */
export async function accepted(app: App): Promise<void> {
  const nightly = guard(app, { name: 'nightly', overlap: 'skip' }, async ({ signal, token }, day: string) => {
    signal.throwIfAborted()
    return `${day} ${token.toFixed()}`
  })
  const text: string | undefined = await nightly('2026-01-01')
  const keyed = guard(
    app,
    { name: 'feed', key: (id: number) => id, wait: '10s' },
    (_lock, id: number, _force?: boolean) => id,
  )
  const id: number | undefined = await keyed(7)
  const plain = guard(app, { name: 'plain' }, (lock: DirectLock) => lock.remainingMs())
  const left: number | undefined = await plain()
  const answer = await app.locks.run('import:7', { overlap: 'raise', wait: '10s' }, async ({ key }) => key)
  const value: string = answer.ran ? answer.value : answer.holder.id
  void [text, id, left, value]
}

export async function refused(app: App): Promise<void> {
  const nightly = guard(app, { name: 'nightly' }, (_lock, day: string) => day)
  // @ts-expect-error: day is a text.
  await nightly(1)
  // @ts-expect-error: a skipped call has no value.
  const text: string = await nightly('2026-01-01')
  // @ts-expect-error: the key's function takes other arguments than the guarded one.
  guard(app, { name: 'feed', key: (id: string) => id }, (_lock, id: number) => id)
  // @ts-expect-error: nothing can be deferred without a message.
  guard(app, { name: 'feed', overlap: 'defer' }, () => 1)
  const answer = await app.locks.run('import', {}, () => 1)
  // @ts-expect-error: it may not have run.
  answer.value
  // @ts-expect-error: a duration needs a unit.
  await app.locks.run('import', { wait: 'soon' }, () => 1)
  void text
}
