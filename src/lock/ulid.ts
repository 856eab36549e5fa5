import { randomFillSync } from 'node:crypto'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const NOISE = 16
/** Drawn for many ids at once: a draw costs far more than the bytes of it. */
const drawn = new Uint8Array(256 * NOISE)
let used = drawn.length

/**
 * A new message id: 26 characters, sortable by the wall clock's ms, 80 random bits. Ids identify, they decide nothing:
 * a clock that jumps only spoils their order.
 * @see https://github.com/ulid/spec
 */
export function ulid(now = Date.now()): string {
  let time = ''
  for (let rest = now, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = ALPHABET.charAt(rest % 32) + time
  return time + noise()
}

function noise(): string {
  if (used === drawn.length) {
    randomFillSync(drawn)
    used = 0
  }
  let text = ''
  for (const end = used + NOISE; used < end; used++) text += ALPHABET.charAt((drawn[used] as number) % 32)
  return text
}
