export { openBarrier, type QuorumOptions } from './barrier.js'
export { examine } from './examine.js'
