import { UsageError } from '../../src/lock/error.js'
import { StaleToken } from '../../src/task-base/error.js'
import type { Fence } from '../../src/task-base/fence.js'
import { codeOf } from './failure.js'
import type { FencedClient } from './fenced-client.js'
import { highWaterTable, holdHighWater, makeHighWater } from './high-water.js'
import { quotedSchema } from './options.js'

/** What a fenced transaction begins with. */
export interface FencedWork {
  readonly fence: Fence
  /** The statement. */
  readonly begin: string
  /** Of the table of highest tokens, quoted. */
  readonly schema: string
}

/** Released at the commit: whoever ended the transaction meanwhile, and wrote on without the fence, has lost it. */
export const SAVEPOINT = 'beatlock_fence'

/**
 * Begins a transaction and holds its fence: on the locks' own server the holder's row, anywhere else that of the highest
 * token.
 *
 * @throws StaleToken; UsageError where the role may not ask, or make, what this needs.
 */
export async function begin(client: FencedClient, asked: FencedWork): Promise<void> {
  const { fence, schema } = asked
  const opening = `${asked.begin}; savepoint ${SAVEPOINT}`
  const found = await look(client, opening, asked)
  if (found.ours && (await holdHere(client, fence))) return
  if (found.table) return await holdHighWater(client, fence, schema)
  await client.query('rollback')
  await makeHighWater(client, schema)
  await client.query(opening)
  await holdHighWater(client, fence, schema)
}

interface Found {
  /** A schema of the name that the locks' own has; whether it is that one its function says. */
  readonly ours: boolean
  readonly table: boolean
}

/** In the trip that begins the transaction. Names are plain: they need no more than quotes. */
async function look(client: FencedClient, opening: string, { fence, schema }: FencedWork): Promise<Found> {
  const ours = fence.space.postgres ? `to_regprocedure('${fenceFunction(fence)}(uuid,text,text,bigint)')` : 'null'
  const question = `select ${ours} is not null as ours, to_regclass('${highWaterTable(schema)}') is not null as "table"`
  try {
    const answers = (await client.query(`${opening}; ${question}`)) as unknown as readonly { rows: Found[] }[]
    return answers.at(-1)?.rows[0] as Found
  } catch (error) {
    throw codeOf(error) === '42501' ? notAllowed(fence, error) : error
  }
}

function fenceFunction({ space }: Fence): string {
  return `${quotedSchema(space.postgres?.schema)}.fence_v1`
}

/** False where the locks are elsewhere. */
async function holdHere(client: FencedClient, fence: Fence): Promise<boolean> {
  const { key, token, space } = fence
  try {
    const values = [space.postgres?.id, space.app, key, token]
    const { rows } = await client.query(`select ${fenceFunction(fence)}($1, $2, $3, $4) as held`, values)
    return (rows[0] as { held: boolean }).held
  } catch (error) {
    if (codeOf(error) === 'BL002') throw new StaleToken({ key, token, cause: error })
    throw codeOf(error) === '42501' ? notAllowed(fence, error) : error
  }
}

function notAllowed(fence: Fence, cause: unknown): UsageError {
  const schema = quotedSchema(fence.space.postgres?.schema)
  return new UsageError(
    `fencedTransaction: this role may not ask the locks on this server; GRANT USAGE ON SCHEMA ${schema} TO it.`,
    { cause },
  )
}
