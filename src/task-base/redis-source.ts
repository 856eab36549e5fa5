import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { UsageError } from '../lock/error.js'
import type { RedisPlace, RedisTls } from './redis-place.js'
import type { ServerSource } from './redis-settings.js'
import { parseRedisUrl } from './redis-url.js'

/** @throws UsageError for a bad URL, and for certificates that cannot be used */
export function redisPlace(source: ServerSource): RedisPlace {
  const place = unchecked(source)
  for (const tls of [place.tls, place.sentinel?.tls]) if (tls) checkTls(tls)
  return place
}

function unchecked(source: ServerSource): RedisPlace {
  if (typeof source === 'string') return parseRedisUrl(source)
  if (!('url' in source)) return source
  const { url, tls, sentinel, natMap } = source
  const place = parseRedisUrl(url)
  if (sentinel && place.form !== 'sentinel')
    throw new UsageError('sentinel is given beside a URL without sentinels: write redis+sentinel://.')
  return {
    ...place,
    ...(tls === undefined ? {} : { tls: { ...place.tls, ...tls } }),
    ...(sentinel === undefined ? {} : { sentinel: { ...place.sentinel, ...sentinel } }),
    ...(natMap === undefined ? {} : { natMap }),
  }
}

function checkTls({ ca = [], cert, key, passphrase }: RedisTls): void {
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError(
      `TLS towards Redis has ${cert ? 'cert' : 'key'} alone; a client certificate goes with its key.`,
    )
  try {
    // A secure context passes over what is no certificate here, and then trusts nobody.
    for (const each of [ca].flat()) new X509Certificate(each)
    createSecureContext({
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase }),
    })
  } catch (error) {
    const why = (error as Error).message
    throw new UsageError(
      `the certificates for TLS towards Redis cannot be used: ${why}; give PEM texts that belong together.`,
    )
  }
}
