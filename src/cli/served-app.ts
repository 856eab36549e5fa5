import { hostname } from 'node:os'
import { UsageError } from '../lock/error.js'
import type { App } from '../task-base/app.js'
import { loadApp } from '../task-base/load-app.js'
import type { GlobalFlags } from './program.js'
import { isMemory, overridesOf } from './target.js'

/** The app that a worker or beat serves. Connects to nothing yet. @throws UsageError */
export async function loadServed(
  flags: GlobalFlags,
  command: 'worker' | 'beat',
): Promise<{ app: App; module: string }> {
  if (flags.A === undefined) throw new UsageError(`${command} needs the app's code: -A ./app.js.`)
  if (flags.app !== undefined) throw new UsageError(`${command}: -A names the app; leave --app out.`)
  const app = await loadApp({ module: flags.A, ...overridesOf(flags, 'start') })
  // A URL that no adapter serves is refused here, before anything runs.
  if (isMemory(app, flags) && command === 'beat') throw new UsageError(memoryText('beat'))
  return { app, module: flags.A }
}

/** Why beat cannot have a process of its own on `memory:`. */
export function memoryText(command: string): string {
  return `${command}: memory: lives inside one process, where no worker would see what beat publishes; use embedded:, redis://… or postgres://….`
}

/** A name that no other process of the app has, as others see it: `w1@db2`; `%h` in it is this host. */
export function processName(kind: 'w' | 'beat', given: string | undefined): string {
  if (given === undefined) return `${kind}${process.pid}@${hostname()}`
  const name = given.replaceAll('%h', hostname())
  if (!/^[A-Za-z0-9_][\w.@-]{0,99}$/.test(name))
    throw new UsageError(
      `-n must be a name such as w1 or w1@db2 (letters, digits, '.', '_', '-', '@'; %h is this host), got '${given}'.`,
    )
  return name.includes('@') ? name : `${name}@${hostname()}`
}
