export { type FileOptions, openScheduleStore } from './schedule-store.js'
