// A process that uses an embedded server: opens it, tells its parent how that went, closes when told.
import { openEmbedded } from '../../adapters/embedded/index.js'

const [dir = '', mayStart = 'yes'] = process.argv.slice(2)

try {
  const server = await openEmbedded({ dir, mayStart: mayStart === 'yes' })
  process.on('message', () => {
    void server.close().then(() => process.disconnect())
  })
  process.send?.({ outcome: server.outcome, connection: server.connection, folder: server.folder })
} catch (error) {
  const { name, message } = error as Error
  process.send?.({ outcome: 'failed', name, message })
  process.disconnect()
}
