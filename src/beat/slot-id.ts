import { createHash } from 'node:crypto'

/** The message id of an entry's slot: `b-<32 hex of SHA-256(entry name)>-<nominal ms>`. Any name, no forbidden character. */
export function slotId(entry: string, nominal: number): string {
  return `b-${createHash('sha256').update(entry).digest('hex').slice(0, 32)}-${nominal}`
}
