import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { UsageError } from '../../src/lock/error.js'

/** A journal grown to this many times what it would be anew is written anew. */
const GROWTH = 4
const SMALLEST_BYTES = 1_048_576

/**
 * Lines of JSON, each with its checksum, only ever appended to; on the disk before `append` resolves. What a kill left of a
 * last line is cut off at the next opening. Rewriting goes into a file beside it, which then takes its name. After a write that
 * failed the file may end in a piece of a line, so that nothing more is written: it is to be opened again.
 */
export class Journal {
  readonly #path: string
  #file: FileHandle
  #bytes: number
  /** Not known before it was written anew: each opening does that once, where the file is not small. */
  #bytesAnew = 0
  readonly #snapshot: () => readonly unknown[]
  #pending: string[] = []
  /** The write that takes what is pending; undefined where none waits. */
  #next: Promise<void> | undefined
  #last: Promise<void> = Promise.resolve()

  private constructor(of: { path: string; file: FileHandle; bytes: number; snapshot: () => readonly unknown[] }) {
    this.#path = of.path
    this.#file = of.file
    this.#bytes = of.bytes
    this.#snapshot = of.snapshot
  }

  /**
   * Reads what is there. `snapshot` answers the lines that say all of it, whenever the file is written anew.
   * @throws UsageError where something else than the last line is broken
   */
  static async open(
    path: string,
    snapshot: () => readonly unknown[],
  ): Promise<{ readonly journal: Journal; readonly lines: unknown[] }> {
    const { lines, bytes, cut } = existsSync(path) ? readLines(path) : { lines: [], bytes: 0, cut: false }
    if (cut) truncateSync(path, bytes)
    const file = await open(path, 'a')
    syncFolder(path)
    return { journal: new Journal({ path, file, bytes, snapshot }), lines }
  }

  /** Lines that come while one write is under way go together in the next: many appends, one sync. */
  append(line: unknown): Promise<void> {
    this.#pending.push(lineOf(line))
    this.#next ??= this.#after(() => this.#write())
    return this.#next
  }

  /** Writes all of it anew. */
  renew(): Promise<void> {
    return this.#after(() => this.#renew())
  }

  async close(): Promise<void> {
    await this.#last.catch(() => undefined)
    await this.#file.close()
  }

  #after(work: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(work)
    this.#last.catch(() => undefined)
    return this.#last
  }

  async #write(): Promise<void> {
    this.#next = undefined
    if (this.#bytes > Math.max(SMALLEST_BYTES, GROWTH * this.#bytesAnew)) return this.#renew()
    const text = this.#pending.splice(0).join('')
    await this.#file.appendFile(text)
    await this.#file.datasync()
    this.#bytes += Buffer.byteLength(text)
  }

  /** What is pending is in the snapshot; nothing else writes meanwhile. */
  async #renew(): Promise<void> {
    this.#pending = []
    const text = this.#snapshot().map(lineOf).join('')
    writeBeside(`${this.#path}.new`, text)
    renameSync(`${this.#path}.new`, this.#path)
    syncFolder(this.#path)
    await this.#file.close()
    this.#file = await open(this.#path, 'a')
    this.#bytes = Buffer.byteLength(text)
    this.#bytesAnew = this.#bytes
  }
}

function writeBeside(path: string, text: string): void {
  const file = openSync(path, 'w')
  try {
    writeFileSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function lineOf(value: unknown): string {
  const text = JSON.stringify(value)
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`
}

/**
 * The whole lines, and where they end; `cut`: a piece of one follows, which a kill has left or somebody is writing.
 * @throws UsageError where something else than the last line is broken
 */
export function readLines(path: string): { lines: unknown[]; bytes: number; cut: boolean } {
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
  return { lines, bytes: from, cut: from < content.length }
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
