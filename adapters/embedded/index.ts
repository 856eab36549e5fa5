import { findPlace } from './place.js'
import { Presence } from './presence.js'
import type { Address } from './session.js'

/** A real Postgres beside the app: reached by a Unix socket only, shared by all processes that name its folder. */
export interface EmbeddedServer {
  /** `host` is the absolute path of the socket's folder. */
  readonly connection: Address
  /** Where data, password and log are: `dir`, or what stands in for it. Print it. */
  readonly folder: string
  readonly outcome: 'started' | 'adopted'
  /** The last one to close stops the server; a process that is killed leaves it to the others, or idling. */
  close(): Promise<void>
}

export interface EmbeddedOptions {
  readonly dir: string
  /** Start a server where none runs. One-shot commands may not. */
  readonly mayStart: boolean
  /** Told when the server ends under us; it is then started again. */
  readonly trouble?: (error: Error) => void
}

/**
 * Starts the server of a folder, or adopts the one that runs. Keeps no process alive.
 *
 * @throws UsageError where none runs and none may be started, the package is not installed, the folder is not private;
 * StoreUnavailable where the server does not come up within 30 s.
 */
export async function openEmbedded({ dir, mayStart, trouble = () => {} }: EmbeddedOptions): Promise<EmbeddedServer> {
  const place = await findPlace(dir)
  const presence = await Presence.begin({ place, dir, mayStart, trouble })
  const { address, outcome } = presence.attendance
  return { connection: address, folder: place.folder, outcome, close: () => presence.leave() }
}
