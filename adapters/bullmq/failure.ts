import { BeatlockError, BrokerUnavailable } from '../../src/lock/error.js'

const SOCKET = /^(ENOENT|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|EACCES)$/
/** Postgres: connection errors, out of resources, shutting down, cancelled, a standby, wrong login or database. */
const POSTGRES = /^(08|53|57|28)...$|^(25006|55P03|3D000)$/
/** Redis and both clients, which give most of these no code. */
const TEXT =
  /^(LOADING|READONLY|MASTERDOWN|OOM|CLUSTERDOWN|MISCONF|NOAUTH|WRONGPASS|BUSY)\b|timed? ?out|Connection is closed|isn't writeable|max retries per request|Connection terminated|not queryable|after calling end|connection error/i

/** The error in the words of the port; one that says nothing about the server's state stays as it is. */
export function asBrokerError(server: string, error: unknown): unknown {
  if (error instanceof BeatlockError || !(error instanceof Error)) return error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (!SOCKET.test(code) && !POSTGRES.test(code) && !TEXT.test(error.message)) return error
  return new BrokerUnavailable(server, error.message === '' ? code : error.message, error)
}

/** The promise's value; rejects as timed out when that takes longer. Leaves no timer. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out after ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}
