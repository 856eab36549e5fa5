import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'

/** @throws UsageError for an option that is not one of `known`, with a guess. */
export function refuseUnknown(where: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    throw new UsageError(`${where}: options must be an object, got ${String(options)}.`)
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new UsageError(`${where} has no option '${name}'${suggest(name, known) || '.'}`)
  }
}
