/** The part of a key that decides its slot: what stands in its first braces. */
const TAG = /\{([^}]+)\}/

const known = new Map<string, number>()

/** The slot of a cluster that a key belongs to. All keys of ours have one of 64 tags. */
export function slotOf(key: string): number {
  const tag = TAG.exec(key)?.[1] ?? key
  const slot = known.get(tag) ?? crc16(Buffer.from(tag)) % 16_384
  known.set(tag, slot)
  return slot
}

/** CRC-16/XMODEM. @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ */
function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff
  }
  return crc
}
