import type { GlobalFlags } from './program.js'

/** What a worker tells its beat as the first thing: nothing of it is in the command line, where passwords would show. */
export interface BeatLaunch {
  readonly feed: { readonly path: string; readonly ticket: string }
  readonly flags: GlobalFlags
}
