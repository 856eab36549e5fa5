import { readFile, rm, writeFile } from 'node:fs/promises'

/** Beyond this a payload goes by file: the channel copies each message several times on both event loops. */
const CHANNEL_BYTES = 8 * 1024 * 1024

export function fitsChannel(text: string | null): boolean {
  return text === null || Buffer.byteLength(text) <= CHANNEL_BYTES
}

/** Writes JSON where only this user can read it. */
export async function spill(file: string, value: unknown): Promise<void> {
  await writeFile(file, JSON.stringify(value), { mode: 0o600 })
}

/** Reads what was spilled and removes it. */
export async function takeSpilled<T>(file: string): Promise<T> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T
  } finally {
    await rm(file, { force: true })
  }
}
