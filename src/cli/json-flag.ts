import { UsageError } from '../lock/error.js'
import { shortened } from '../lock/printable.js'

const SHOWN = 60

/** `--args`: a JSON array. @throws UsageError */
export function readArgs(text: string | undefined): readonly unknown[] | undefined {
  if (text === undefined) return undefined
  const value = parse(text)
  if (Array.isArray(value)) return value
  if (isObject(value))
    throw new UsageError(
      `--args takes arguments in order, a JSON array; for arguments by name write --kwargs ${shortened(text, SHOWN)}.`,
    )
  throw new UsageError(`--args must be a JSON array such as '[7, "x"]', got ${shortened(text, SHOWN)}.`)
}

/** `--kwargs`: a JSON object. @throws UsageError */
export function readKwargs(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  return readObject('--kwargs', text, '{"feedId": 7}')
}

/** `--headers`: a JSON object; its values are judged where the call is built. @throws UsageError */
export function readHeaderFlag(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  return readObject('--headers', text, '{"trace": "4f2a"}')
}

function readObject(flag: string, text: string | undefined, example: string): Record<string, unknown> | undefined {
  if (text === undefined) return undefined
  const value = parse(text)
  if (isObject(value)) return value
  throw new UsageError(`${flag} must be a JSON object such as '${example}', got ${shortened(text, SHOWN)}.`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
