import { printable } from '../lock/printable.js'

/** A task's own log line (`this.request.log`), in the shape of the worker's lines. One write, so lines never mix. */
export function writeBodyLine(level: 'info' | 'error', line: string): void {
  process.stdout.write(`${new Date().toISOString()} ${level.toUpperCase().padEnd(5)} ${printable(line)}\n`)
}
