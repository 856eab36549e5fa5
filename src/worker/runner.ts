import type { BodyVerdict } from '../task-base/body.js'
import type { ExecuteRequest } from '../task-base/execute.js'

/** What a child process runs bodies with: a module that exports `openRunner`. */
export interface RunnerModule {
  openRunner: OpenRunner
}

/** `spec` is JSON of the parent's. A rejection is a failed start. */
export type OpenRunner = (spec: unknown, parent: RunnerParent) => Promise<Runner>

export interface RunnerParent {
  /** Asks the parent process; JSON both ways. @throws what the parent's answer threw: name, message and code. */
  ask(call: unknown): Promise<unknown>
}

export interface Runner {
  run(request: ExecuteRequest): Promise<BodyVerdict>
  close(): Promise<void>
}
