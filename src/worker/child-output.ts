import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

export interface ChildOutput {
  /** Resolves when all that it and its heirs printed has been passed on. */
  readonly ended: Promise<void>
  /** Of what it wrote to stderr since `forget`, the line that most likely says why it died. */
  lastWords(): string
  forget(): void
}

/** A longer line is passed on in parts. */
const LONGEST_LINE = 65_536
const LONGEST_WORDS = 1000
/** A line in the shape of the worker's own says when and what by itself: `this.request.log`. */
const LOG_LINE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:INFO |ERROR) /
/** What Node prints around the error that ended it: frames, native ones too, its version, and what has no words. */
const NO_WORDS = /^\s|^$|^[{}]|^Node\.js v|^-{5}|^<---|^\d+: /

/** Passes on what a child prints to where it printed it, line by line and each with its pid. */
export function passOn(child: ChildProcess): ChildOutput {
  let words = ''
  const hear = (line: string) => {
    if (!NO_WORDS.test(line) && !words.startsWith('FATAL ERROR')) words = line.slice(0, LONGEST_WORDS).trimEnd()
  }
  const name = `[child ${child.pid}] `
  const named = (line: string) => (LOG_LINE.test(line) ? line : name + line)
  const both = [
    follow(child.stdout, process.stdout, named),
    follow(child.stderr, process.stderr, (line) => {
      hear(line)
      return name + line
    }),
  ]
  return {
    ended: Promise.all(both).then(() => undefined),
    lastWords: () => words,
    forget() {
      words = ''
    },
  }
}

/** A reader that is slow slows the child down: nothing piles up here. */
function follow(from: Readable | null, to: NodeJS.WriteStream, shape: (line: string) => string): Promise<void> {
  if (!from) return Promise.resolve()
  const lines = new Lines()
  const pass = (told: readonly string[], then: () => void) =>
    to.write(told.map((line) => `${shape(line)}\n`).join(''), then)
  from.on('data', (chunk: Buffer) => {
    if (!pass(lines.add(chunk), () => from.resume())) from.pause()
  })
  from.on('error', () => {})
  return new Promise((resolve) => from.once('close', () => pass(lines.end(), resolve)))
}

class Lines {
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''

  /** The lines that are whole by now. */
  add(chunk: Buffer): string[] {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n')
    this.#rest = lines.pop() ?? ''
    if (this.#rest.length <= LONGEST_LINE) return lines
    return [...lines, ...this.end()]
  }

  /** What had no end. */
  end(): string[] {
    const rest = this.#rest
    this.#rest = ''
    return rest === '' ? [] : [rest]
  }
}
