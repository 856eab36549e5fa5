/** What `beatlock/postgres` offers: fenced writes to a Postgres of the user's own. Imports no client. */
export type { FencedClient, FencedPool } from './fenced-client.js'
export { type FencedTransactionOptions, fencedTransaction } from './fenced-transaction.js'
