import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'

/** A process of the demonstration ended although nobody had asked it to. */
export class CrewLost extends Error {
  /** @param {{ title: string, how: number | string, lastWords: string }} of */
  constructor({ title, how, lastWords }) {
    super(`the ${title} ended unasked (${how})${lastWords === '' ? '' : `:\n${lastWords}`}`)
    this.exitCode = typeof how === 'number' && how !== 0 ? how : 1
  }
}

/**
 * @typedef {object} Job
 * @property {string} title
 * @property {string[]} args for node
 * @property {NodeJS.ProcessEnv} env over this process's own
 * @property {string} output the file that takes what it prints
 * @property {'ipc'} [channel] lets it notice that we are gone
 */

const LAST_LINES = 6
/** A warm stop waits for running bodies. */
const WARM_MS = 10_000
const COLD_MS = 3000

/** The processes that the demonstration started. Each leads a group of its own: a terminal's Ctrl-C does not reach it. */
export class Crew {
  /** @type {Set<Member>} */
  #members = new Set()
  #lost = new AbortController()

  /**
   * Aborted with {@link CrewLost}.
   *
   * @returns {AbortSignal}
   */
  get lost() {
    return this.#lost.signal
  }

  /**
   * @param {Job} job
   * @returns {Member}
   */
  start(job) {
    const member = new Member(job)
    this.#members.add(member)
    void member.exited.then((how) => {
      this.#members.delete(member)
      if (!member.asked) this.#lost.abort(new CrewLost({ ...job, how, lastWords: lastLines(job.output) }))
    })
    return member
  }

  /** Ends at once what still runs, and lets it clean up after itself if it is quick. */
  hurry() {
    for (const member of this.#members) member.end(COLD_MS)
  }

  /** The last resort: a worker's children then die by their dead-man. */
  killAll() {
    for (const member of this.#members) member.kill()
  }
}

/** One process of the crew. */
class Member {
  /** Whether it was told to end. */
  asked = false
  #child
  /** @type {NodeJS.Timeout | undefined} */
  #patience

  /** @param {Job} job */
  constructor({ args, env, output, channel }) {
    const file = openSync(output, 'a')
    this.#child = spawn(process.execPath, args, {
      detached: true,
      env: { ...process.env, ...env },
      stdio: ['ignore', file, file, ...(channel ? [channel] : [])],
    })
    closeSync(file)
    this.exited = exitOf(this.#child).finally(() => clearTimeout(this.#patience))
  }

  /** Asks it once to end, and waits; its group is killed if that takes too long. */
  async stop() {
    if (!this.asked) this.end(WARM_MS)
    await this.exited
  }

  /**
   * For worker and beat the first time is a warm stop, the second a cold one.
   *
   * @param {number} patienceMs
   */
  end(patienceMs) {
    this.asked = true
    this.#child.kill('SIGTERM')
    clearTimeout(this.#patience)
    this.#patience = setTimeout(() => this.kill(), patienceMs)
  }

  kill() {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // It has just ended.
    }
  }
}

/**
 * Exit code, signal, or why it could not be started.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<number | string>}
 */
function exitOf(child) {
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? signal ?? 'gone'))
    child.on('error', (error) => child.pid ?? resolve(error.message))
  })
}

/** @param {string} file */
function lastLines(file) {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LAST_LINES).join('\n')
}
