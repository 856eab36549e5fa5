import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { until } from '../support/until.js'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Command {
  readonly child: ChildProcess
  /** What it has written so far. */
  readonly output: { stdout: string; stderr: string }
  readonly ended: Promise<Ended>
  /** Waits for a text on stdout. */
  saw(text: string | RegExp, timeoutMs?: number): Promise<void>
}

/** Path of a compiled fixture app. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`./fixture/${name}.js`, import.meta.url))
}

/** Where a command runs, and what is set there. */
export interface Surroundings {
  readonly cwd?: string | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** Starts the built command, without a terminal and without the caller's own settings. */
export function startCommand(
  args: readonly string[],
  bin: 'beatlock' | 'locks' = 'beatlock',
  { cwd, env }: Surroundings = {},
): Command {
  return startScript(fileURLToPath(new URL(`../../src/cli/${bin}.js`, import.meta.url)), args, { cwd, env })
}

/** Starts a script with this Node, in the same way. */
export function startScript(entry: string, args: readonly string[], { cwd, env }: Surroundings = {}): Command {
  const { BEATLOCK_BROKER: _, BEATLOCK_LOCKS: __, NODE_ENV: ___, ...inherited } = process.env
  const child = spawn(process.execPath, [entry, ...args], {
    cwd,
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => {
    output.stdout += chunk.toString('utf8')
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output.stderr += chunk.toString('utf8')
  })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...output }))
  const saw = async (text: string | RegExp, timeoutMs = 30_000) => {
    const seen = () => (typeof text === 'string' ? output.stdout.includes(text) : text.test(output.stdout))
    const what = () => `${String(text)} in:\n${output.stdout}\n${output.stderr}`
    await until(seen, { timeoutMs, what: String(text) }).catch((cause: unknown) => {
      throw new Error(`did not see ${what()}`, { cause })
    })
  }
  return { child, output, ended, saw }
}

/** Runs a command to its end. */
export function runCommand(args: readonly string[], bin?: 'beatlock' | 'locks'): Promise<Ended> {
  return startCommand(args, bin).ended
}
