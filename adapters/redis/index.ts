export type { RedisOptions } from './connection.js'
export { openLockStore } from './lock-store.js'
export { openScheduleStore } from './schedule-store.js'
