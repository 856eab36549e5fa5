export { type RunNotes, type RunTaskOptions, runTask, type TaskOutcome, type TaskRun } from '../testing/run-task.js'
export {
  type VirtualBeat,
  type VirtualBeatOptions,
  type VirtualDecision,
  type VirtualSlot,
  virtualBeat,
} from '../testing/virtual-beat.js'
export { type BarrierBench, barrierContract, type OpenBarrier } from './barrier.contract.js'
export type { EngineBench, OpenEngine } from './engine/scene.js'
export { engineContract } from './engine.contract.js'
export type { TestKit } from './kit.js'
export { lockStoreRecoveryContract } from './lock-store/recovery.js'
export type { LockStoreBench, LosingBench, OpenLockStore } from './lock-store/scene.js'
export { lockStoreContract } from './lock-store.contract.js'
export type { OpenScheduleStore, ScheduleStoreBench } from './schedule-store.contract.js'
export { scheduleStoreContract } from './schedule-store.contract.js'
