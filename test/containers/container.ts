import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers'
import { connect } from '../../adapters/embedded/session.js'
import { until } from '../support/until.js'

/** A server in a container of its own, reached from here. */
export interface Contained<Place> {
  readonly place: Place
  remove(): Promise<void>
}

/** The images where Docker can fetch them; without it scripts/containers.mjs makes some and names them. */
const REDIS_IMAGE = process.env['BEATLOCK_REDIS_IMAGE'] ?? 'redis:7-alpine'
const POSTGRES_IMAGE = process.env['BEATLOCK_POSTGRES_IMAGE'] ?? 'postgres:17-alpine'

const PASSWORD = 'contract'

export async function containedRedis(): Promise<Contained<{ url: string }>> {
  const container = await new GenericContainer(REDIS_IMAGE)
    .withExposedPorts(6379)
    .withWaitStrategy(Wait.forLogMessage('Ready to accept connections'))
    .start()
  const url = `redis://${container.getHost()}:${container.getMappedPort(6379)}/0`
  return { place: { url }, remove: () => removed(container) }
}

export async function containedPostgres() {
  const container = await new GenericContainer(POSTGRES_IMAGE)
    .withEnvironment({ POSTGRES_PASSWORD: PASSWORD })
    .withExposedPorts(5432)
    .withWaitStrategy(Wait.forLogMessage('database system is ready to accept connections'))
    .start()
  const at = { host: container.getHost(), port: container.getMappedPort(5432) }
  const connection = { ...at, user: 'postgres', password: PASSWORD, database: 'postgres' }
  // The public image says so twice; the first time it is still setting itself up and listens to nobody outside.
  const what = 'Postgres in its container to accept connections'
  await until(() => answers(connection), { what, everyMs: 50, timeoutMs: 20_000 })
  return { place: { connection }, remove: () => removed(container) }
}

async function answers(connection: Parameters<typeof connect>[0]): Promise<boolean> {
  const attempt = await connect(connection, 'beatlock test')
  if (attempt.outcome !== 'connected') return false
  await attempt.client.end()
  return true
}

async function removed(container: StartedTestContainer): Promise<void> {
  await container.stop({ timeout: 0, remove: true, removeVolumes: true })
}
