import { pino } from 'pino'
import { printable } from '../lock/printable.js'
import type { LogLevel } from '../task-base/worker-command.js'

/** What a line is about, besides its text. */
export interface LogFields {
  readonly key?: string
  readonly error?: Error
}

/** The log of worker and beat: lines for people on stdout, the same on a terminal and in a file. */
export interface Log {
  debug(text: string, fields?: LogFields): void
  info(text: string, fields?: LogFields): void
  warn(text: string, fields?: LogFields): void
  error(text: string, fields?: LogFields): void
  /** From now on lines of this level and above. */
  setLevel(level: LogLevel): void
}

interface Line {
  readonly level: number
  readonly time: string
  readonly msg: string
  readonly key?: string
  readonly stack?: string
}

/** Lines of `level` and above; at `debug` also with the stacks of errors. */
export function openLog(level: LogLevel): Log {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  const logger = pino(options, { write: (json: string) => void process.stdout.write(logLine(JSON.parse(json))) })
  const at = (of: LogLevel) => (text: string, fields?: LogFields) => {
    const stack = logger.level === 'debug' ? fields?.error?.stack : undefined
    logger[of]({ key: fields?.key, stack }, text)
  }
  const setLevel = (to: LogLevel): void => {
    logger.level = to
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), setLevel }
}

/** `2026-11-21T06:00:00.000Z INFO  ran feeds.refresh feedId=7 [01HX…] in 43 ms key=feeds.refresh:…`. Pure. */
export function logLine({ time, level, msg, key, stack }: Line): string {
  const word = (pino.levels.labels[level] ?? '').toUpperCase().padEnd(5)
  const trace = stack === undefined ? '' : stack.split('\n').map((each) => `\n    ${printable(each.trim())}`)
  return `${time} ${word} ${printable(msg)}${key === undefined ? '' : ` key=${printable(key)}`}${[...trace].join('')}\n`
}
