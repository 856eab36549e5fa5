import { UsageError } from '../lock/error.js'
import { suggest } from '../lock/suggest.js'
import { readPriority, readQueue } from './call-term.js'

/** Where calls of a task go that say nothing themselves. */
export interface Route {
  readonly queue?: string
  readonly priority?: number
}

/**
 * By task name, or a pattern of it with `*`: a queue, or a queue and a priority. The name itself wins, then the first
 * pattern that fits, in the order written. Or a function of name and arguments; it must not be slow, and answers for the
 * same call the same.
 */
export type Routes =
  | Readonly<Record<string, string | Route>>
  | ((task: string, args: readonly unknown[]) => string | Route | undefined)

/** Read once. @throws UsageError where a function answers with something that is no route */
export type Router = (task: string, args: readonly unknown[]) => Route

const NAMES = ['queue', 'priority']
const NOWHERE: Route = {}

/** @throws UsageError that names the pattern, the value and the cure. */
export function readRoutes(where: string, routes: unknown): Router {
  if (routes === undefined) return () => NOWHERE
  if (typeof routes === 'function') {
    const ask = routes as Extract<Routes, (...args: never[]) => unknown>
    return (task, args) => readRoute(`${where}: routes of '${task}'`, ask(task, args) ?? NOWHERE)
  }
  if (typeof routes !== 'object' || routes === null || Array.isArray(routes))
    throw new UsageError(`${where}: routes must be an object such as { 'reports.*': 'slow' }, got ${String(routes)}.`)
  const read = Object.entries(routes).map(([pattern, route]) => {
    if (!/^[\w.*-]+$/.test(pattern))
      throw new UsageError(`${where}: routes: '${pattern}' is no task's name, nor one with '*' in it.`)
    return { pattern, fits: patternOf(pattern), route: readRoute(`${where}: routes['${pattern}']`, route) }
  })
  return (task) => {
    const own = read.find(({ pattern }) => pattern === task) ?? read.find(({ fits }) => fits.test(task))
    return own?.route ?? NOWHERE
  }
}

function patternOf(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replaceAll('.', '\\.'))
  return new RegExp(`^${parts.join('.*')}$`)
}

function readRoute(where: string, route: unknown): Route {
  if (typeof route === 'string') return { queue: readQueue(where, route) }
  if (typeof route !== 'object' || route === null || Array.isArray(route))
    throw new UsageError(`${where} must be a queue, or { queue, priority }, got ${JSON.stringify(route)}.`)
  for (const name of Object.keys(route)) {
    if (!NAMES.includes(name)) throw new UsageError(`${where} has no '${name}'${suggest(name, NAMES) || '.'}`)
  }
  const { queue, priority } = route as Route
  return {
    ...(queue === undefined ? {} : { queue: readQueue(where, queue) }),
    ...(priority === undefined ? {} : { priority: readPriority(where, priority) ?? 0 }),
  }
}
