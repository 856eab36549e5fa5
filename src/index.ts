export { clocked } from './beat/clocked.js'
export { type CrontabFields, crontab } from './beat/crontab.js'
export type { CrontabField } from './beat/crontab-field.js'
export type { EntryInfo } from './beat/entry-info.js'
export { type EveryOptions, every } from './beat/every.js'
export { type DecisionInfo, type RunTimeTable, timetable } from './beat/run-time.js'
export { type SolarEvent, solar } from './beat/solar.js'
export type { Barrier, Seat } from './lock/barrier.js'
export type { Duration } from './lock/duration.js'
export { BeatlockError, BrokerUnavailable, ServerUnavailable, StoreUnavailable, UsageError } from './lock/error.js'
export type { ErrorCode } from './lock/error-code.js'
export type { LockKey } from './lock/key.js'
export type { LockSpace, LockStore } from './lock/lock-store.js'
export type { Overlap } from './lock/overlap.js'
export { App } from './task-base/app.js'
export type { AppOptions } from './task-base/app-options.js'
export type { AskOptions, Replies } from './task-base/ask-workers.js'
export type { ByteSize } from './task-base/byte-size.js'
export type { CallOptions } from './task-base/call.js'
export type { CallTerms } from './task-base/call-term.js'
export type { Control, Inspect } from './task-base/control.js'
export type { Totals } from './task-base/counters.js'
export type { DeadLetterDetail, DeadLetterInfo, DeadLetters, Requeued } from './task-base/dead-letters.js'
export type { DirectAnswer } from './task-base/direct.js'
export type { DirectLock } from './task-base/direct-body.js'
export type { DirectOptions } from './task-base/direct-options.js'
export type { Engine } from './task-base/engine.js'
export type { Entry, EntryTiming, PeriodicOptions } from './task-base/entry.js'
export {
  AlreadyQueued,
  CommitUnknown,
  type HolderInfo,
  LockLost,
  ParkedFull,
  PublishUnknown,
  Rejected,
  ResultTimeout,
  Revoked,
  SoftTimeLimitExceeded,
  StaleToken,
  TaskFailed,
  TimeLimitExceeded,
} from './task-base/error.js'
export type { AppEvents } from './task-base/event.js'
export type { Fence } from './task-base/fence.js'
export { type GuardOptions, guard } from './task-base/guard.js'
export type { Headers } from './task-base/header.js'
export type { ClearOptions, LockDetail, LockInfo, Locks } from './task-base/locks.js'
export type { CallOnce, Mode, Once } from './task-base/once.js'
export type { RedisNat, RedisNode, RedisTls, SentinelLogin } from './task-base/redis-place.js'
export type { RedisInstance, RedisSettings, ServerOption } from './task-base/redis-settings.js'
export type { Result, State } from './task-base/result.js'
export type { ErrorMatch, RetryFields } from './task-base/retry-policy.js'
export type { Revocation, RevokeOptions } from './task-base/revoke.js'
export type { Route, Routes } from './task-base/route.js'
export type { Schedule } from './task-base/schedule.js'
export type { Shared, SharedOptions } from './task-base/shared.js'
export { currentRequest, type Lock, QueueOnce, type RetryOptions, Task, type TaskRequest } from './task-base/task.js'
export type { Signature, TaskHandle } from './task-base/task-handle.js'
export type {
  ActiveRun,
  Inspection,
  LogLevel,
  ReservedMessage,
  ScheduledMessage,
  WorkerStats,
} from './task-base/worker-command.js'
export type { WorkerAppOptions } from './task-base/worker-options.js'
