import { UsageError } from '../lock/error.js'

/** An amount of memory: text with a unit, `'300mb'` (1024 × 1024 bytes each), `'512kb'`, `'1.5gb'`. */
export type ByteSize = `${number}${'kb' | 'mb' | 'gb'}`

const UNITS: Readonly<Record<string, number>> = { kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 }

/** Whole bytes. A plain number is refused: Celery counts kilobytes, others bytes. @throws UsageError */
export function parseByteSize(value: unknown, what: string): number {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(kb|mb|gb)$/.exec(value) : null
  const bytes = match ? Math.round(Number(match[1]) * (UNITS[match[2] ?? ''] ?? 0)) : 0
  if (bytes > 0) return bytes
  throw new UsageError(
    `Expected \`${what}\` to be an amount of memory such as '300mb' (units: kb, mb, gb)${cureFor(value)}, got \`${String(value)}\` (${typeof value}).`,
  )
}

function cureFor(value: unknown): string {
  if (/^\d+$/.test(String(value))) return `; write '${String(value)}kb' if Celery's kilobytes are meant`
  const close = String(value).replaceAll(/\s+/g, '').toLowerCase()
  return /^\d+(?:\.\d+)?(?:kb|mb|gb)$/.test(close) ? `; write '${close}'` : ''
}
