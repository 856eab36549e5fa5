export { openBarrier, type QuorumOptions } from './barrier.js'
