import { UsageError } from '../lock/error.js'
import { printable } from '../lock/printable.js'

/** Texts that travel beside a call's arguments: a trace id, a tenant. No part of its key. */
export type Headers = Readonly<Record<string, string>>

/** They are read with every delivery; what is larger is an argument. */
const MAX_BYTES = 8_192

/** Undefined where there are none: most calls have none, and their messages are no longer for it. @throws UsageError */
export function readHeaders(where: string, headers: unknown): Headers | undefined {
  if (headers === undefined) return undefined
  if (!isPlain(headers)) {
    throw new UsageError(`${where}: headers must be an object such as { trace: '4f2a' }, got ${shown(headers)}.`)
  }
  const pairs = Object.entries(headers).map(([name, value]): [string, string] => {
    if (typeof value === 'string') return [name, value]
    throw new UsageError(
      `${where}: headers[${printable(JSON.stringify(name))}] must be text, got ${shown(value)}; turn it into a string.`,
    )
  })
  const read = Object.fromEntries(pairs)
  const bytes = Buffer.byteLength(JSON.stringify(read))
  if (bytes > MAX_BYTES) {
    throw new UsageError(
      `${where}: headers take ${bytes} bytes, more than ${MAX_BYTES}; pass large values as arguments.`,
    )
  }
  return pairs.length === 0 ? undefined : read
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** By kind alone: what was passed by mistake may be a secret. */
function shown(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`
}
