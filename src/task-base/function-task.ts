import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import type { Once } from './once.js'
import { Task } from './task.js'
import { FIELD_NAMES, type FieldName, readTask, type TaskDefinition } from './task-definition.js'

/** What `app.task` takes beside name and function: the fields of a task class, see {@link Task}. */
export interface FunctionTaskOptions<P extends readonly string[], K extends string>
  extends Partial<Pick<Task, Exclude<FieldName, 'params'>>> {
  readonly params?: P
  readonly once?: Once<readonly never[], K>
}

const OPTIONS: readonly string[] = [...FIELD_NAMES, 'once']

/** A task made of a function. @throws UsageError */
export function readFunctionTask<A extends readonly unknown[]>(
  name: string,
  options: object,
  run: (this: Task, ...args: A) => unknown,
): TaskDefinition {
  for (const option of Object.keys(options)) {
    if (OPTIONS.includes(option)) continue
    throw new UsageError(`task '${name}' has no option '${option}'${suggest(option, OPTIONS) || '.'}`)
  }
  class FunctionTask extends Task {
    readonly name = name
    run(...args: never[]): unknown {
      return run.call(this, ...(args as unknown as A))
    }
  }
  return readTask(
    class extends FunctionTask {
      constructor() {
        super()
        Object.assign(this, options)
      }
    },
  )
}
