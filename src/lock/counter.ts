/** How often something happened to the calls of a task. */
export interface Count {
  readonly task: string
  /** An outcome (`ran`, `skipped`, `purged` …), or what happened on the way (`published`, `stale_release` …). */
  readonly name: string
  readonly n: number
}

/** What all processes of an app counted together. */
export interface CounterStore {
  /** Adds to the totals, once a request: repeated with the same id within 10 min it adds nothing more. */
  add(requestId: string, counts: readonly Count[]): Promise<void>
  /** Totals of this app, or of all apps of the server, in no order. */
  read(options: { readonly allApps: boolean }): Promise<readonly (Count & { readonly app: string })[]>
}
