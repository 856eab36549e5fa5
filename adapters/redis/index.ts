export type { RedisOptions } from './connection.js'
export { examine } from './examine.js'
export { openLockStore } from './lock-store.js'
export { openScheduleStore } from './schedule-store.js'
