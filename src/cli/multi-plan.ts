import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Option } from 'commander'
import { maskUrl } from '../connect.js'
import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import type { GlobalFlags } from './program.js'
import { processName } from './served-app.js'

/** One worker of several on this host. */
export interface Planned {
  /** As operators see it: `w1@db2`. */
  readonly name: string
  readonly pidfile: string
  readonly logfile: string
  /** What follows `node` and its own flags. */
  readonly argv: readonly string[]
}

export interface Patterns {
  readonly pidfile: string
  readonly logfile: string
}

/** What `multi` gives each worker itself. */
const OWN = ['-n', '--name', '--pidfile']

/**
 * Names, then options of `worker`: `w1 w2 -c 4 -Q:w1 reports`. An option is everybody's, or with `:NAME` one worker's
 * own, which counts more.
 * @throws UsageError for a bad name, an option that `worker` does not have, and a pattern that two workers would share
 */
export function planWorkers(
  words: readonly string[],
  of: { readonly flags: GlobalFlags; readonly patterns: Patterns; readonly options: readonly Option[] },
): Planned[] {
  const { flags, patterns, options } = of
  const first = words.findIndex((word) => word.startsWith('-'))
  const names = words.slice(0, first < 0 ? words.length : first)
  if (names.length === 0)
    throw new UsageError('multi needs the names of workers, and options after them: multi start w1 w2 -c 4.')
  const given = first < 0 ? [] : readGiven(words.slice(first), { options, names })
  const planned = names.map((short) => {
    const name = processName('w', short)
    const pidfile = placed(patterns.pidfile, name)
    const own = given.filter(({ whose }) => whose === undefined || whose === short)
    const worker = own
      .sort((a, b) => Number(a.whose !== undefined) - Number(b.whose !== undefined))
      .flatMap(({ argv }) => argv)
    const argv = [process.argv[1] ?? '', ...globalArgv(flags), 'worker', '-n', name, '--pidfile', pidfile, ...worker]
    return { name, pidfile, logfile: placed(patterns.logfile, name), argv }
  })
  refuseShared(planned, { names, patterns })
  return planned
}

/** The command as it may be shown: without the secrets of URLs. */
export function shownArgv({ argv }: Planned): string[] {
  return argv.map((word, at) => (/^--(broker|locks)$/.test(argv[at - 1] ?? '') ? maskUrl(word) : word))
}

interface Given {
  readonly whose: string | undefined
  readonly argv: readonly string[]
}

function readGiven(
  words: readonly string[],
  { options, names }: { readonly options: readonly Option[]; readonly names: readonly string[] },
): Given[] {
  const given: Given[] = []
  for (let at = 0; at < words.length; at += 1) {
    const [, flag = '', whose, value] = /^(--?[A-Za-z][A-Za-z-]*)(?::([^=]+))?(?:=(.*))?$/s.exec(words[at] ?? '') ?? []
    const option = options.find(({ short, long }) => flag === short || flag === long)
    if (!option || OWN.includes(flag)) throw unknownOption(words[at] ?? '', flag, options)
    if (whose !== undefined && !names.includes(whose))
      throw new UsageError(
        `multi: ${words[at]} names no worker of this call: ${names.join(', ')}${suggest(whose, names) || '.'}`,
      )
    if (value !== undefined && !option.required) throw new UsageError(`multi: ${flag} takes no value, got '${value}'.`)
    if (value !== undefined) given.push({ whose, argv: [flag, value] })
    else if (!option.required) given.push({ whose, argv: [flag] })
    else {
      at += 1
      if (words[at] === undefined) throw new UsageError(`multi: ${flag} needs a value.`)
      given.push({ whose, argv: [flag, words[at] as string] })
    }
  }
  return given
}

function unknownOption(word: string, flag: string, options: readonly Option[]): UsageError {
  if (OWN.includes(flag)) return new UsageError(`multi: ${flag} is given to each worker by multi itself; leave it out.`)
  const known = options.flatMap(({ short, long }) => [short, long]).filter((each) => each !== undefined)
  return new UsageError(
    `multi: a worker has no option '${word}'${suggest(flag, known) || '; names come before options, see worker --help.'}`,
  )
}

/** Two of one pidfile would be stopped twice, which is cold. */
function refuseShared(
  planned: readonly Planned[],
  { names, patterns }: { readonly names: readonly string[]; readonly patterns: Patterns },
): void {
  const twice = repeated(planned.map(({ name }) => name))
  if (twice !== undefined) throw new UsageError(`multi: '${names[twice]}' is named twice.`)
  for (const option of ['pidfile', 'logfile'] as const) {
    const paths = planned.map((each) => each[option])
    const at = repeated(paths)
    if (at === undefined) continue
    const count = paths.filter((path) => path === paths[at]).length
    throw new UsageError(
      `multi: --${option} ${patterns[option]} would be shared by ${count} workers; write %n into it, or %N where their hosts differ.`,
    )
  }
}

/** Where the first is that was there before. */
function repeated(values: readonly string[]): number | undefined {
  const at = values.findIndex((value, index) => values.indexOf(value) !== index)
  return at < 0 ? undefined : at
}

/** `%n` the name before its @, `%N` the whole, `%h` this host, `%%` a percent sign. */
function placed(pattern: string, name: string): string {
  const parts: Readonly<Record<string, string>> = { n: name.split('@')[0] ?? '', N: name, h: hostname(), '%': '%' }
  const path = pattern.replaceAll(/%(.?)/g, (_, letter: string) => {
    const part = parts[letter]
    if (part !== undefined) return part
    throw new UsageError(
      `multi: '%${letter}' of '${pattern}' means nothing; %n is the name, %N name@host, %h the host, %% a percent sign.`,
    )
  })
  return resolve(path)
}

function globalArgv({ A, broker, locks, logLevel }: GlobalFlags): string[] {
  const pairs: readonly (readonly [string, string | undefined])[] = [
    ['-A', A],
    ['--broker', broker],
    ['--locks', locks],
    ['-l', logLevel],
  ]
  return pairs.flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]))
}
