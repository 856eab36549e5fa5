import { UsageError } from '../lock/error.js'
import type { RedisNat, RedisNode, RedisPlace, RedisTls, SentinelLogin } from './redis-place.js'
import { refuseUnknown } from './unknown-option.js'

/** A Redis URL, and beside it what no URL should hold. */
export interface RedisSettings {
  /** `redis://`, `redis+sentinel://`, `redis+cluster://`, or the same with `rediss` for TLS. */
  readonly url: string
  /** Certificates as PEM texts; also turns TLS on. */
  readonly tls?: RedisTls
  readonly sentinel?: SentinelLogin
  readonly natMap?: RedisNat
}

/** An instance of ioredis' `Redis` or `Cluster`, of any version: its options are read, it is not used and never closed. */
export interface RedisInstance {
  readonly options: object
  duplicate(...args: never[]): unknown
}

/** What names a server, as the app's options take it. */
export type ServerOption = string | RedisSettings | RedisInstance | { readonly connection: RedisInstance }

/** The same as plain data. */
export type ServerSource = string | RedisSettings | RedisPlace

const TLS_NAMES = 'ca cert key passphrase servername rejectUnauthorized minVersion maxVersion ciphers'.split(' ')

/** @throws UsageError that names what is wrong, without secrets */
export function readServer(where: string, value: unknown): ServerSource | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  if (typeof value === 'object' && value !== null) {
    if (isInstance(value)) return placeOfInstance(where, value)
    if ('connection' in value) {
      refuseUnknown(where, value, ['connection'])
      if (isInstance(value.connection)) return placeOfInstance(`${where}.connection`, value.connection)
      throw new UsageError(`${where}.connection must be an instance of ioredis' Redis or Cluster.`)
    }
    return readSettings(where, value)
  }
  const got = typeof value === 'string' ? "''" : String(value)
  throw new UsageError(
    `${where} must be a URL such as 'redis://127.0.0.1:6379/0', { url, tls }, or an ioredis instance, got ${got}.`,
  )
}

function readSettings(where: string, settings: object): RedisSettings {
  refuseUnknown(where, settings, ['url', 'tls', 'sentinel', 'natMap'])
  const { url, tls, sentinel, natMap } = settings as Partial<Record<keyof RedisSettings, unknown>>
  if (typeof url !== 'string' || !/^rediss?[+:]/.test(url)) {
    throw new UsageError(`${where}.url must be a Redis URL: redis://, redis+sentinel:// or redis+cluster://.`)
  }
  return {
    url,
    ...(tls === undefined ? {} : { tls: readTls(`${where}.tls`, tls) }),
    ...(sentinel === undefined ? {} : { sentinel: readSentinel(`${where}.sentinel`, sentinel) }),
    ...(natMap === undefined ? {} : { natMap: readNat(`${where}.natMap`, natMap) }),
  }
}

function isInstance(value: unknown): value is RedisInstance {
  const { options, duplicate } = (value ?? {}) as Partial<RedisInstance>
  return typeof options === 'object' && options !== null && typeof duplicate === 'function'
}

/** Whatever an instance was made of says where it connects; how it behaves (queues, retries) is ours to say. */
function placeOfInstance(where: string, instance: RedisInstance): RedisPlace {
  const options = instance.options as Readonly<Record<string, unknown>>
  refuseForeign(where, options)
  if (!('startupNodes' in instance)) return ofRedis(where, options)
  const nodes = (instance.startupNodes as unknown[]).map((node) => startNode(where, node))
  const redisOptions = (options['redisOptions'] ?? {}) as Readonly<Record<string, unknown>>
  refuseForeign(`${where}: redisOptions`, redisOptions)
  const { options: own = {} } = nodes[0] ?? {}
  const login = loginOf(where, { ...own, ...redisOptions })
  return { form: 'cluster', nodes: nodes.map(({ node }) => node), db: 0, ...login, ...natOf(where, options) }
}

function ofRedis(where: string, options: Readonly<Record<string, unknown>>): RedisPlace {
  const { host, port, path, db, sentinels, name } = options
  const own = { db: Number(db ?? 0), ...loginOf(where, options) }
  if (!Array.isArray(sentinels)) {
    const nodes = [{ host: String(host ?? 'localhost'), port: Number(port ?? 6379) }]
    return { form: 'single', nodes, ...own, ...(typeof path === 'string' ? { path } : {}) }
  }
  if (options['role'] === 'slave')
    throw new UsageError(`${where} reads from replicas (role: 'slave'); locks are kept by the primary: leave role out.`)
  const { sentinelUsername, sentinelPassword, sentinelTLS } = options
  const sentinel = {
    ...textAs('username', sentinelUsername),
    ...textAs('password', sentinelPassword),
    ...(sentinelTLS ? { tls: readTls(`${where}: sentinelTLS`, sentinelTLS) } : {}),
  }
  const nodes = sentinels.map(({ host: at = '127.0.0.1', port: on = 26379 }) => ({ host: at, port: Number(on) }))
  return { form: 'sentinel', nodes, primary: String(name), sentinel, ...own, ...natOf(where, options) }
}

function loginOf(where: string, options: Readonly<Record<string, unknown>>): Partial<RedisPlace> {
  const { username, password, tls } = options
  const secured = tls ? { tls: tls === true ? {} : readTls(`${where}: tls`, tls) } : {}
  return { ...textAs('username', username), ...textAs('password', password), ...secured }
}

function natOf(where: string, { natMap }: Readonly<Record<string, unknown>>): Partial<RedisPlace> {
  return natMap ? { natMap: readNat(`${where}: natMap`, natMap) } : {}
}

function textAs<Name extends string>(name: Name, value: unknown): { readonly [name in Name]?: string } {
  return (typeof value === 'string' && value !== '' ? { [name]: value } : {}) as { [name in Name]?: string }
}

/** What changes where commands go or what keys are called, and cannot be kept in a thread or child of its own. */
function refuseForeign(
  where: string,
  { Connector, keyPrefix, useSRVRecords }: Readonly<Record<string, unknown>>,
): void {
  if (typeof Connector === 'function')
    throw new UsageError(`${where} has a Connector of its own, which threads and children cannot be given; name a URL.`)
  if (typeof keyPrefix === 'string' && keyPrefix !== '')
    throw new UsageError(
      `${where} has a keyPrefix; the app's name is that of its keys: pass .duplicate({ keyPrefix: '' }).`,
    )
  if (useSRVRecords === true)
    throw new UsageError(
      `${where} looks nodes up by SRV records (useSRVRecords); name the nodes of the cluster instead.`,
    )
}

/** One of a Cluster's: a port, a URL, or options. */
function startNode(where: string, node: unknown): { node: RedisNode; options: Readonly<Record<string, unknown>> } {
  if (typeof node === 'object' && node !== null) {
    const options = node as Readonly<Record<string, unknown>>
    return { node: { host: String(options['host'] ?? '127.0.0.1'), port: Number(options['port'] ?? 6379) }, options }
  }
  const text = /^\d+$/.test(String(node))
    ? `redis://127.0.0.1:${node}`
    : String(node).replace(/^(?!\w+:\/\/)/, 'redis://')
  if (!URL.canParse(text)) throw new UsageError(`${where} has a start node that is no address.`)
  const { hostname, port, username, password, protocol } = new URL(text)
  const login = { username: decodeURIComponent(username), password: decodeURIComponent(password) }
  const options = { ...login, ...(protocol === 'rediss:' ? { tls: true } : {}) }
  return { node: { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || 6379) }, options }
}

/** PEM as text or as the bytes that a file was read into. */
export function readTls(where: string, tls: unknown): RedisTls {
  if (typeof tls !== 'object' || tls === null) throw new UsageError(`${where} must be an object such as { ca }.`)
  const given = Object.entries(tls).filter(([, value]) => value !== undefined && value !== null)
  const foreign = given.find(([, value]) => typeof value === 'function' || (isObject(value) && !isPem(value)))
  if (foreign)
    throw new UsageError(
      `${where}.${foreign[0]} cannot be handed to threads and children; give certificates as PEM texts (ca, cert, key).`,
    )
  refuseUnknown(where, Object.fromEntries(given), TLS_NAMES)
  return Object.fromEntries(given.map(([name, value]) => [name, pemText(value)])) as RedisTls
}

function isObject(value: unknown): boolean {
  return typeof value === 'object'
}

function isPem(value: unknown): boolean {
  return (
    value instanceof Uint8Array ||
    (Array.isArray(value) && value.every((each) => typeof each === 'string' || isPem(each)))
  )
}

function pemText(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pemText)
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value
}

function readSentinel(where: string, sentinel: unknown): SentinelLogin {
  if (typeof sentinel !== 'object' || sentinel === null)
    throw new UsageError(`${where} must be { username, password, tls }.`)
  refuseUnknown(where, sentinel, ['username', 'password', 'tls'])
  const { username, password, tls } = sentinel as Readonly<Record<string, unknown>>
  return {
    ...textAs('username', username),
    ...textAs('password', password),
    ...(tls === undefined ? {} : { tls: readTls(`${where}.tls`, tls) }),
  }
}

function readNat(where: string, natMap: unknown): RedisNat {
  const entries = typeof natMap === 'object' && natMap !== null ? Object.entries(natMap) : []
  const right = entries.every(([, to]) => typeof to?.host === 'string' && Number.isInteger(Number(to?.port)))
  if (entries.length > 0 && right)
    return Object.fromEntries(entries.map(([from, { host, port }]) => [from, { host, port: Number(port) }]))
  throw new UsageError(
    `${where} must be an object such as { '10.0.0.1:6379': { host, port } }; a function cannot be handed to threads and children.`,
  )
}
