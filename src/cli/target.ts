import { dirname, resolve } from 'node:path'
import { brokerOf, embeddedFolder, schemeOf } from '../connect.js'
import { UsageError } from '../lock/error.js'
import { App } from '../task-base/app.js'
import type { AppOverrides } from '../task-base/app-servers.js'
import { loadApp } from '../task-base/load-app.js'
import type { GlobalFlags } from './program.js'

/** What a one-shot command looks at. */
export interface Target {
  /** `code`: an app with its tasks; `name`: an app by its name; `server`: all apps of a server. */
  readonly scope: 'code' | 'name' | 'server'
  /** The app, or a stand-in without tasks. */
  readonly app: App
  /** An app on the same servers. */
  of(name: string): App
  /** For people: `app shop on redis://127.0.0.1:6379/0`. Connects. */
  shown(): Promise<string>
  close(): Promise<void>
}

/** The name of a stand-in that looks at all apps; no app is asked for by it. */
const NO_APP = '_'

/** The app, or all apps of a server, by the global options. Connects to nothing yet. @throws UsageError */
async function openTarget(flags: GlobalFlags, command: string): Promise<Target> {
  if (flags.A !== undefined && flags.app !== undefined)
    throw new UsageError('-A and --app both name the app; keep one of them.')
  const overrides = overridesOf(flags, 'adopt')
  const app =
    flags.A === undefined ? standIn(flags.app ?? NO_APP, overrides) : await loadApp({ module: flags.A, ...overrides })
  refuseMemory(app, flags, command)
  return assemble(app, overrides, flags.A !== undefined ? 'code' : flags.app !== undefined ? 'name' : 'server')
}

/** Runs `act` on the target and closes it, however `act` ends. */
export async function withTarget<T>(
  flags: GlobalFlags,
  command: string,
  act: (target: Target) => Promise<T>,
): Promise<T> {
  const target = await openTarget(flags, command)
  try {
    return await act(target)
  } finally {
    await target.close()
  }
}

/** What the command line says over the code; `adopt`: never starts an embedded server. */
export function overridesOf(flags: GlobalFlags, embedded: 'start' | 'adopt'): AppOverrides {
  const { A, broker, locks, store } = flags
  return {
    ...(broker === undefined ? {} : { broker }),
    ...(locks === undefined ? {} : { locks }),
    ...(store === undefined ? {} : { schedule: store }),
    embeddedDir: embeddedFolder(A === undefined ? '.' : dirname(resolve(A))),
    mayStart: embedded === 'start',
  }
}

/** Whether the app's broker is this process's own memory. @throws UsageError for a URL that no adapter serves. */
export function isMemory(app: App, flags: GlobalFlags): boolean {
  const { embeddedDir } = overridesOf(flags, 'adopt')
  return schemeOf(brokerOf({ broker: flags.broker ?? app.settings.broker, embeddedDir })) === 'memory'
}

function refuseMemory(app: App, flags: GlobalFlags, command: string): void {
  if (!isMemory(app, flags)) return
  throw new UsageError(
    `${command}: memory: lives inside one process and cannot be reached from another; name a server with --broker.`,
  )
}

function standIn(name: string, overrides: AppOverrides): App {
  const app = new App(name)
  app.override(overrides)
  return app
}

function assemble(app: App, overrides: AppOverrides, scope: Target['scope']): Target {
  const opened = new Map([[app.name, app]])
  return {
    scope,
    app,
    of(name) {
      const known = opened.get(name) ?? standIn(name, overrides)
      opened.set(name, known)
      return known
    },
    async shown() {
      const { servers } = await app.connection()
      return `${scope === 'server' ? 'all apps' : `app ${app.name}`} on ${servers.locks}`
    },
    async close() {
      for (const each of opened.values()) await each.close()
    },
  }
}
