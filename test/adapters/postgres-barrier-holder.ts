import { openBarrier } from '../../adapters/postgres/index.js'
import { KEY } from '../contract/lock-store/scene.js'

// A process that takes a seat, says so, and stays until it is killed.
const barrier = await openBarrier(JSON.parse(process.argv[2] ?? ''))
process.send?.(await barrier.take({ key: KEY, slot: 0 }))
