import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, truncateSync, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { UsageError } from '../../src/lock/error.js'

/** A journal grown to this many times what it would be anew is written anew. */
const GROWTH = 4
const SMALLEST_BYTES = 1_048_576

/**
 * Lines of JSON, each with its checksum, only ever appended to; on the disk before `append` resolves. What a kill left of a
 * last line is cut off at the next opening. Rewriting goes into a file beside it, which then takes its name.
 */
export class Journal {
  readonly #path: string
  #file: FileHandle
  #bytes: number
  #bytesAnew: number
  #pending: string[] = []
  #writing: Promise<void> | undefined

  private constructor(path: string, file: FileHandle, bytes: number) {
    this.#path = path
    this.#file = file
    this.#bytes = bytes
    this.#bytesAnew = bytes
  }

  /** Reads what is there. @throws UsageError where something else than the last line is broken */
  static async open(path: string): Promise<{ readonly journal: Journal; readonly lines: unknown[] }> {
    const { lines, bytes } = existsSync(path) ? readLines(path) : { lines: [], bytes: 0 }
    const file = await open(path, 'a')
    syncFolder(path)
    return { journal: new Journal(path, file, bytes), lines }
  }

  /** Writes come together: many appends, one sync. */
  append(line: unknown): Promise<void> {
    this.#pending.push(lineOf(line))
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
    const under = this.#writing
    // Lines that came after a write began go with the next one.
    return under.then(() => (this.#pending.length > 0 ? this.flush() : undefined))
  }

  async flush(): Promise<void> {
    while (this.#pending.length > 0 || this.#writing) {
      this.#writing ??= this.#write().finally(() => {
        this.#writing = undefined
      })
      await this.#writing
    }
  }

  get isLong(): boolean {
    return this.#bytes > Math.max(SMALLEST_BYTES, GROWTH * this.#bytesAnew)
  }

  /** At once, with nothing written in between. */
  rewrite(lines: readonly unknown[]): void {
    const beside = `${this.#path}.new`
    const text = lines.map(lineOf).join('')
    const file = openSync(beside, 'w')
    try {
      writeSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(beside, this.#path)
    syncFolder(this.#path)
    this.#bytes = Buffer.byteLength(text)
    this.#bytesAnew = this.#bytes
  }

  async reopen(): Promise<void> {
    await this.#file.close()
    this.#file = await open(this.#path, 'a')
  }

  async close(): Promise<void> {
    await this.flush().catch(() => undefined)
    await this.#file.close()
  }

  async #write(): Promise<void> {
    // Whoever appends in this turn of the loop is taken along.
    await Promise.resolve()
    const text = this.#pending.splice(0).join('')
    if (text === '') return
    await this.#file.appendFile(text)
    await this.#file.datasync()
    this.#bytes += Buffer.byteLength(text)
  }
}

function lineOf(value: unknown): string {
  const text = JSON.stringify(value)
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`
}

function readLines(path: string): { lines: unknown[]; bytes: number } {
  const content = readFileSync(path)
  const lines: unknown[] = []
  let from = 0
  for (let end = content.indexOf(10); end >= 0; end = content.indexOf(10, from)) {
    const value = parsed(content.toString('utf8', from, end))
    if (value === undefined) break
    lines.push(value)
    from = end + 1
  }
  // A kill can leave a piece of one write, which holds no whole line after a broken one.
  if (content.indexOf(10, from) >= 0 && hasWholeLine(content, from)) {
    throw new UsageError(
      `${path} is damaged at byte ${from}, with whole lines after it: restore it from a copy, or move it away.`,
    )
  }
  if (from < content.length) truncateSync(path, from)
  return { lines, bytes: from }
}

function hasWholeLine(content: Buffer, from: number): boolean {
  return content
    .toString('utf8', from)
    .split('\n')
    .slice(1, -1)
    .some((line) => parsed(line) !== undefined)
}

function parsed(line: string): unknown {
  const text = line.slice(9)
  if (crc32(text).toString(16).padStart(8, '0') !== line.slice(0, 8)) return undefined
  return JSON.parse(text)
}

function syncFolder(path: string): void {
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
