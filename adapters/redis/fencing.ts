/** What `beatlock/redis` offers: fenced writes to a Redis of the user's own. Imports no client. */
export { type FencedCommand, type FencedRedis, type FencedWriteOptions, fencedWrite } from './fenced-write.js'
