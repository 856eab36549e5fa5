export interface RedisNode {
  readonly host: string
  readonly port: number
}

/** TLS towards a Redis, as plain data: PEM texts, no functions. */
export interface RedisTls {
  /** Certificates of the authorities to trust instead of Node's own list. */
  readonly ca?: string | readonly string[]
  /** The client's certificate and its key, where the server asks for one. */
  readonly cert?: string
  readonly key?: string
  readonly passphrase?: string
  /** The name that the server's certificate must have. Default: the host that is connected to. */
  readonly servername?: string
  /** Default true; `false` takes anyone for the server. */
  readonly rejectUnauthorized?: boolean
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly ciphers?: string
}

/** How sentinels are talked to. */
export interface SentinelLogin {
  readonly username?: string
  readonly password?: string
  /** Default: that of the data nodes. */
  readonly tls?: RedisTls
}

/** From the addresses that nodes tell, `host:port`, to those that they are reached by. */
export type RedisNat = Readonly<Record<string, RedisNode>>

/**
 * A Redis as plain data: what threads and children connect by, too. Made of a URL, of `RedisSettings`, or of the options
 * of an ioredis instance.
 */
export interface RedisPlace {
  readonly form: 'single' | 'sentinel' | 'cluster'
  /** The one server, the sentinels, or the nodes of a cluster that are asked first. */
  readonly nodes: readonly RedisNode[]
  /** Of a Unix socket, instead of the one server. */
  readonly path?: string
  /** The sentinels' name of the primary. */
  readonly primary?: string
  readonly username?: string
  readonly password?: string
  readonly db: number
  readonly tls?: RedisTls
  readonly sentinel?: SentinelLogin
  readonly natMap?: RedisNat
}

/** As it may be shown to people: like a URL, without credentials. */
export function shownPlace({ form, nodes, path, primary, db, tls }: RedisPlace): string {
  const scheme = `redis${tls ? 's' : ''}${form === 'single' ? '' : `+${form}`}`
  const hosts = path ?? nodes.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',')
  const rest = form === 'cluster' ? '' : form === 'sentinel' ? `/${primary}/${db}` : `/${db}`
  return `${scheme}://${hosts}${rest}`
}

/** Where and as whom, in the words of ioredis; for a cluster those of each of its nodes. */
export function connectionOptions({ form, nodes, path, username, password, db, tls, ...rest }: RedisPlace): object {
  const login = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  }
  if (form === 'cluster') return login
  if (form === 'single') return { ...login, db, ...(path === undefined ? nodes[0] : { path }) }
  const { primary, sentinel = {}, natMap } = rest
  const sentinelTls = sentinel.tls ?? tls
  return {
    ...login,
    db,
    sentinels: nodes,
    name: primary,
    enableTLSForSentinelMode: tls !== undefined,
    ...(natMap === undefined ? {} : { natMap }),
    ...(sentinel.username === undefined ? {} : { sentinelUsername: sentinel.username }),
    ...(sentinel.password === undefined ? {} : { sentinelPassword: sentinel.password }),
    ...(sentinelTls === undefined ? {} : { sentinelTLS: sentinelTls }),
  }
}
