import { randomBytes } from 'node:crypto'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/**
 * A new message id: 26 characters, sortable by the wall clock's ms, 80 random bits. Ids identify, they decide nothing:
 * a clock that jumps only spoils their order.
 * @see https://github.com/ulid/spec
 */
export function ulid(now = Date.now()): string {
  let time = ''
  for (let rest = now, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = ALPHABET.charAt(rest % 32) + time
  let noise = ''
  for (const byte of randomBytes(16)) noise += ALPHABET.charAt(byte % 32)
  return time + noise
}
