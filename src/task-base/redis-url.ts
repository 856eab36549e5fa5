import { readFileSync } from 'node:fs'
import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import type { RedisNode, RedisPlace, RedisTls, SentinelLogin } from './redis-place.js'

const TLS_FILES = ['ca', 'cert', 'key'] as const
const EXAMPLES = {
  single: 'redis://host:6379/0',
  sentinel: 'redis+sentinel://host1:26379,host2:26379/mymaster/0',
  cluster: 'redis+cluster://host1:6379,host2:6379',
}

/**
 * Reads `redis://[user:password@]host[:port][/db]`, `redis+sentinel://[user:password@]host[:port],…/primary[/db]`, where
 * user and password are those of the data nodes, and `redis+cluster://[user:password@]host[:port],…`; with `rediss` for
 * TLS. Parameters: `ca`, `cert`, `key` (paths of PEM files) and `servername` for TLS; `sentinelUsername`, `sentinelPassword`.
 *
 * @throws UsageError that says what is wrong, never with the credentials. Unknown parameters are refused, since a misspelt
 * one would be an option silently not set.
 */
export function parseRedisUrl(text: string): RedisPlace {
  const { form, tls, url, others } = partsOf(text)
  const defaultPort = form === 'sentinel' ? 26_379 : 6_379
  refuseParameters(url, { form, tls })
  const username = decoded(url.username, 'user name')
  const password = decoded(url.password, 'password')
  return {
    form,
    nodes: [url, ...others].map((each) => nodeOf(each, { form, defaultPort })),
    ...pathOf(url.pathname, form),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: tlsOf(url.searchParams) } : {}),
    ...(form === 'sentinel' ? sentinelOf(url.searchParams) : {}),
  }
}

interface Parts {
  readonly form: RedisPlace['form']
  readonly tls: boolean
  /** The URL with its first host alone. */
  readonly url: URL
  /** Of the other hosts. */
  readonly others: readonly URL[]
}

function partsOf(text: string): Parts {
  const [, scheme, form = 'single', rest = ''] = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(.*)$/s.exec(text) ?? []
  const [authority = ''] = /^[^/?#]*/.exec(rest) ?? []
  const hostsAt = authority.lastIndexOf('@') + 1
  const [first = '', ...more] = form === 'single' ? [authority.slice(hostsAt)] : authority.slice(hostsAt).split(',')
  const whole = `redis://${authority.slice(0, hostsAt)}${first}${rest.slice(authority.length)}`
  const all = [whole, ...more.map((host) => `redis://${host}`)]
  if (scheme === undefined || !all.every((each) => URL.canParse(each))) {
    throw new UsageError('not a Redis URL: write redis://[user:password@]host:6379/0, or rediss:// for TLS.')
  }
  const [url, ...others] = all.map((each) => new URL(each)) as [URL, ...URL[]]
  return { form: form as RedisPlace['form'], tls: scheme === 'rediss', url, others }
}

function nodeOf(url: URL, of: { form: RedisPlace['form']; defaultPort: number }): RedisNode {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (host === '') throw new UsageError(`the Redis URL names no host: write ${EXAMPLES[of.form]}.`)
  if (host.includes(','))
    throw new UsageError(
      `several hosts are sentinels or nodes of a cluster: write ${EXAMPLES.sentinel} or ${EXAMPLES.cluster}.`,
    )
  return { host, port: url.port === '' ? of.defaultPort : Number(url.port) }
}

function pathOf(path: string, form: RedisPlace['form']): Pick<RedisPlace, 'db' | 'primary'> {
  const parts = path.replace(/^\/+|\/+$/g, '').split('/')
  const primary = form === 'sentinel' ? decoded(parts.shift() ?? '', 'name of the primary') : undefined
  if (form === 'sentinel' && primary === undefined)
    throw new UsageError(`a Sentinel URL names the primary, as the sentinels do: write ${EXAMPLES.sentinel}.`)
  const db = databaseOf(parts.join('/'), form)
  if (form === 'cluster' && db !== 0)
    throw new UsageError(`a Redis cluster has no database but 0, got ${db}: write ${EXAMPLES.cluster}.`)
  return { db, ...(primary === undefined ? {} : { primary }) }
}

function databaseOf(text: string, form: RedisPlace['form']): number {
  if (text === '') return 0
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new UsageError(
    `the path of a Redis URL ends in the number of a database, got '${text}': write ${EXAMPLES[form]}.`,
  )
}

function refuseParameters({ searchParams }: URL, { form, tls }: Pick<Parts, 'form' | 'tls'>): void {
  const secure = [...TLS_FILES, 'servername']
  const known = [...(tls ? secure : []), ...(form === 'sentinel' ? ['sentinelUsername', 'sentinelPassword'] : [])]
  for (const name of searchParams.keys()) {
    if (known.includes(name)) continue
    if (secure.includes(name))
      throw new UsageError(`the Redis URL has a parameter for TLS, ${name}: write rediss for redis.`)
    const takes = known.length === 0 ? 'it takes none' : `it takes ${known.join(', ')}`
    throw new UsageError(`the Redis URL has an unknown parameter '${name}'${suggest(name, known) || `; ${takes}.`}`)
  }
}

function tlsOf(parameters: URLSearchParams): RedisTls {
  const files = TLS_FILES.flatMap((name) => {
    const path = parameters.get(name)
    return path === null ? [] : [[name, readPem(name, path)] as const]
  })
  const servername = parameters.get('servername')
  return { ...Object.fromEntries(files), ...(servername === null ? {} : { servername }) }
}

function readPem(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code
    throw new UsageError(`the Redis URL's ${name}=${path} cannot be read (${why}); give the path of a PEM file.`)
  }
}

function sentinelOf(parameters: URLSearchParams): { readonly sentinel?: SentinelLogin } {
  const username = parameters.get('sentinelUsername')
  const password = parameters.get('sentinelPassword')
  if (username === null && password === null) return {}
  return { sentinel: { ...(username === null ? {} : { username }), ...(password === null ? {} : { password }) } }
}

function decoded(text: string, what: string): string | undefined {
  if (text === '') return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    throw new UsageError(`the ${what} in the Redis URL is not percent-encoded: write % as %25.`)
  }
}
