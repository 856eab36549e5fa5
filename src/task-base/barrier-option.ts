import { UsageError } from '../lock/error.js'
import { refuseUnknown } from './unknown-option.js'

/** Fewer cannot lose a node and still agree. */
const FEWEST = 3

/** `locks.barrier`. @throws UsageError that names the option, the value without its credentials, and the cure. */
export function readBarrier(where: string, barrier: unknown): 'auto' | 'none' | { readonly quorum: readonly string[] } {
  if (barrier === undefined) return 'auto'
  if (barrier === 'auto' || barrier === 'none') return barrier
  if (typeof barrier !== 'object' || barrier === null || !('quorum' in barrier)) {
    const got = typeof barrier === 'object' ? 'an object without quorum' : JSON.stringify(barrier)
    throw new UsageError(`${where} must be 'auto', 'none' or { quorum: [url, url, url] }, got ${got}.`)
  }
  refuseUnknown(where, barrier, ['quorum'])
  return { quorum: readNodes(`${where}.quorum`, barrier.quorum) }
}

function readNodes(where: string, urls: unknown): readonly string[] {
  if (!Array.isArray(urls)) throw new UsageError(`${where} must be an array of Redis URLs, got ${typeof urls}.`)
  const nodes = urls.map((url, at) => readNode(`${where}[${at}]`, url))
  refuseTwice(where, nodes)
  const count = nodes.length
  if (count < FEWEST)
    throw new UsageError(
      `${where} needs at least 3 independent nodes, got ${count}: fewer cannot lose one and still agree; name more, or leave the quorum out.`,
    )
  if (count % 2 === 0)
    throw new UsageError(
      `${where} needs an odd number of nodes, got ${count}: they bear the loss of no more nodes than ${count - 1} do, and one more has to agree; name ${count - 1} or ${count + 1}.`,
    )
  return nodes.map(({ url }) => url)
}

interface Node {
  readonly url: string
  /** Host and port. */
  readonly server: string
}

function readNode(where: string, text: unknown): Node {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^rediss?:$/.test(url.protocol) || url.hostname === '')
    throw new UsageError(`${where} must be a Redis URL such as 'redis://10.0.0.1:6379', got ${shownOf(text)}.`)
  const server = `${url.hostname}:${url.port === '' ? 6379 : url.port}`
  if (!/^\/?\d{0,6}$/.test(url.pathname))
    throw new UsageError(
      `${where} (${server}): the path of a Redis URL is the number of a database, such as /0; leave it out.`,
    )
  if (url.search !== '' || url.hash !== '')
    throw new UsageError(`${where} (${server}): a Redis URL takes no parameters here.`)
  return { url: url.href, server }
}

/** Two databases of one server are one node: they are lost together. */
function refuseTwice(where: string, nodes: readonly Node[]): void {
  const servers = nodes.map(({ server }) => server)
  const twice = servers.find((server, at) => servers.indexOf(server) !== at)
  if (twice !== undefined)
    throw new UsageError(
      `${where} names ${twice} twice: votes of one server, whatever its databases, are one; name independent servers.`,
    )
}

/** What is no URL may hold a password all the same. */
function shownOf(text: unknown): string {
  if (typeof text !== 'string') return text === null ? 'null' : typeof text
  return text === '' ? "''" : `'${text.replace(/^([^:/]*:)?(\/\/)?.*@/s, '$1$2').slice(0, 60)}'`
}
