/** More seats than this are not tried in one delivery: it comes again, and then begins elsewhere. */
const MOST_TRIES = 16

/**
 * The seats of a key in the order in which one delivery tries them: all in turn, from one that differs from delivery to
 * delivery, so that many who come at once spread over them. With a limit of 1 there is seat 0 alone. Pure.
 */
export function seatOrder(limit: number, deliveryId: string): readonly number[] {
  const start = limit === 1 ? 0 : hash(deliveryId) % limit
  return Array.from({ length: Math.min(limit, MOST_TRIES) }, (_, n) => (start + n) % limit)
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  return value >>> 0
}
