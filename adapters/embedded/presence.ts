import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { type Attendance, type AttendOptions, attend, PRESENCE_LOCK, serverPid } from './attend.js'
import { leavePlace, type Place } from './place.js'
import { failed, unref } from './session.js'

export interface PresenceOptions extends Omit<AttendOptions, 'signal' | 'ref'> {
  readonly trouble: (error: Error) => void
}

const MEND_PAUSE_MS = 500
const STOP_MAX_MS = 10_000

/**
 * This process's stay with a server. While it lasts nobody stops the server; if the server dies all the same, it is
 * started again (where this process may). Keeps no process alive.
 */
export class Presence {
  readonly #options: PresenceOptions
  readonly #leaving = new AbortController()
  #attendance: Attendance
  #mending: Promise<void> = Promise.resolve()
  #left: Promise<void> | undefined

  private constructor(options: PresenceOptions, attendance: Attendance) {
    this.#options = options
    this.#attendance = attendance
    this.#watch()
  }

  static async begin(options: PresenceOptions): Promise<Presence> {
    return new Presence(options, await attend({ ...options, signal: new AbortController().signal, ref: true }))
  }

  get attendance(): Attendance {
    return this.#attendance
  }

  /** The last one out stops the server. */
  leave(): Promise<void> {
    this.#left ??= this.#leave()
    return this.#left
  }

  async #leave(): Promise<void> {
    this.#leaving.abort()
    // Everything of ours lets the process end; leaving must not be cut short by that.
    const awake = setInterval(() => {}, STOP_MAX_MS)
    try {
      await this.#mending
      if (await isLast(this.#attendance.client)) await this.#stop(this.#attendance.client)
    } catch (error) {
      // The server is gone, or going: nothing is left to leave.
      failed(error)
    } finally {
      await this.#attendance.client.end().catch(() => {})
      clearInterval(awake)
    }
  }

  #watch(): void {
    const { client } = this.#attendance
    unref(client)
    client.once('end', () => {
      if (!this.#leaving.signal.aborted) this.#mending = this.#mend()
    })
  }

  async #mend(): Promise<void> {
    const { signal } = this.#leaving
    this.#options.trouble(new Error(`the embedded server in ${this.#options.place.folder} ended`))
    while (!signal.aborted) {
      try {
        this.#attendance = await attend({ ...this.#options, signal, ref: false })
        this.#watch()
        return
      } catch (error) {
        if (signal.aborted) return
        this.#options.trouble(error as Error)
      }
      await sleep(MEND_PAUSE_MS, undefined, { signal, ref: false }).catch(() => {})
    }
  }

  async #stop(client: pg.Client): Promise<void> {
    const { place } = this.#options
    const pid = await serverPid(client)
    if (!(await isServer(pid, place))) {
      this.#options.trouble(new Error(`process ${pid} is not the server in ${place.folder}: it is left running`))
      return
    }
    process.kill(pid, 'SIGINT')
    await untilGone(pid, place)
    await leavePlace(place)
  }
}

/** One statement: between giving up our share and asking for the whole nobody else can be told that he is the last. */
async function isLast(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ last: boolean }>(
    `select pg_advisory_unlock_shared(${PRESENCE_LOCK}), pg_try_advisory_lock(${PRESENCE_LOCK}) as last`,
  )
  return rows[0]?.last === true
}

/** A folder shared between containers names a process of the other one: never signal a stranger. */
async function isServer(pid: number, { folder }: Place): Promise<boolean> {
  if (process.platform !== 'linux') return pid > 1
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return command.split('\0').includes(join(folder, 'pg', 'data'))
}

/** By its lock file, the last thing it removes: where nobody reaps it, its process id stays for ever. */
async function untilGone(pid: number, { folder }: Place): Promise<void> {
  const deadline = performance.now() + STOP_MAX_MS
  while (performance.now() < deadline) {
    const text = await readFile(join(folder, 'pg', 'data', 'postmaster.pid'), 'utf8').catch(() => '')
    if (Number.parseInt(text, 10) !== pid) return
    await sleep(5)
  }
}
