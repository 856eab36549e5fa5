import { BeatlockError } from '../lock/error.js'
import type { BodyVerdict } from './body.js'
import { MAX_PAYLOAD_BYTES } from './call.js'
import { errorText } from './carried-error.js'

const CURE = 'return what JSON can hold, or set ignoreResult'

/** Whatever it returned, if JSON can hold that and a server should: another run would return the same. */
export function verdictOnResult(value: unknown): BodyVerdict {
  try {
    return { end: 'returned', result: resultText(value) }
  } catch (error) {
    return { end: 'threw', error: errorText(error), code: 'BAD_RESULT' }
  }
}

/** @throws BeatlockError BAD_RESULT */
function resultText(value: unknown): string | null {
  const text = jsonText(value)
  const bytes = text === null ? 0 : Buffer.byteLength(text)
  if (bytes <= MAX_PAYLOAD_BYTES) return text
  throw badResult(`takes ${bytes} bytes, more than ${MAX_PAYLOAD_BYTES}; store it and return its place`)
}

function jsonText(value: unknown): string | null {
  if (typeof value === 'function' || typeof value === 'symbol')
    throw badResult(`is a ${typeof value}, which JSON cannot hold; ${CURE}`)
  try {
    return JSON.stringify(value) ?? null
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw badResult(`cannot be written as JSON: ${why}; ${CURE}`, cause)
  }
}

function badResult(what: string, cause?: unknown): BeatlockError {
  return new BeatlockError('BAD_RESULT', `the result ${what}.`, { cause })
}
