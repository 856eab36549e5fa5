import { type AppSpec, loadApp } from '../task-base/load-app.js'
import { callerThrough } from './caller-line.js'
import type { Runner, RunnerParent } from './runner.js'

/** What a child needs to load the app; JSON. */
export interface TaskRunnerSpec extends Omit<AppSpec, 'caller'> {
  /** The servers are within the parent (`memory:`): calls from a task go through it. */
  readonly callsThroughParent: boolean
}

/** Runs an app's tasks. See {@link RunnerModule}. */
export async function openRunner(spec: unknown, parent: RunnerParent): Promise<Runner> {
  const { callsThroughParent, ...appSpec } = spec as TaskRunnerSpec
  const app = await loadApp(callsThroughParent ? { ...appSpec, caller: callerThrough(parent) } : appSpec)
  return { run: (request) => app.execute(request), close: () => app.close() }
}
