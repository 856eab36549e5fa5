import { formatDuration } from '../lock/duration.js'
import type { Holder } from '../lock/hold.js'
import type { App } from '../task-base/app.js'
import type { CarriedError } from '../task-base/carried-error.js'
import type { AppEvents, EventSubject } from '../task-base/event.js'
import type { Log } from './log.js'

type Ended = AppEvents['run:ended']

/** Logs what an app tells, as any other subscriber could. Trouble with servers is not told here. */
export function logApp(app: App, log: Log): void {
  app.on('call:published', (call) => log.debug(`published ${name(call)}`, call))
  app.on('call:parked', (call) => log.debug(`deferred ${name(call)} behind ${holderText(call.holder)}`, call))
  app.on('call:coalesced', (call) => log.debug(`coalesced ${name(call)} into ${call.into}`, call))
  app.on('call:refused', (call) => log.debug(`skipped ${name(call)} held by ${holderText(call.holder)}`, call))
  app.on('call:promoted', (call) => log.info(`published ${name(call)}: its turn has come`, call))
  app.on('run:started', (run) => log.info(`started ${name(run)}${againText(run.deliveries)}`, run))
  app.on('run:ended', (run) => log[levelOf(run)](endText(run), { key: run.key }))
  app.on('run:buried', (run) => log.error(`gave up ${name(run)} (${run.code}): see beatlock dead show ${run.id}`, run))
  app.on('run:retried', (run) => log.warn(retryText(run), { key: run.key }))
  app.on('run:crashed', (run) => log.warn(crashText(run), run))
  app.on('run:unstarted', (run) => log.warn(`put back ${name(run)}: it had not begun (${run.why})`, run))
  app.on('worker:stalled', ({ worker }) =>
    log.error(`worker ${worker} takes no messages: none of its children can start`),
  )
  app.on('worker:resumed', ({ worker, ms }) =>
    log.info(`worker ${worker} takes messages again, after ${formatDuration(ms)}: its children start`),
  )
  app.on('worker:resized', ({ worker, size }) => log.info(`worker ${worker} runs up to ${size} at once`))
  app.on('worker:joined', ({ other }) => log.info(`worker ${other} has joined`))
  app.on('worker:left', ({ other, why }) =>
    why === 'stopped'
      ? log.info(`worker ${other} has left`)
      : log.warn(`worker ${other} was not seen for 15 s: it is dead, stopped or cut off`),
  )
  app.on('worker:told', ({ worker, command, from }) => log.info(`worker ${worker} is told by ${from}: ${command}`))
  app.on('run:lost', (run) => log.error(`${name(run)} lost its lock (${run.reason}) and is stopped`, run))
  app.on('run:putBack', (run) => log.info(putBackText(run), run))
  app.on('run:duplicate', (run) => log.info(`${name(run)} came again after its end (${run.outcome}): not run`, run))
  app.on('clock:off', ({ aheadMs }) => log.warn(clockText(aheadMs)))
  app.on('guard:differs', (found) => log.warn(differingText(found)))
  app.on('lock:recovering', ({ remainingMs }) =>
    log.warn(
      `the locks' server has lost data: nothing is started for ${formatDuration(remainingMs)}, while runs that outlived it come to light`,
    ),
  )
  app.on('lock:stale', ({ key, id, step }) =>
    log.warn(`a ${step} of [${id}] came too late: it changed nothing`, { key }),
  )
  app.on('lock:resolved', ({ key, id, stage, outcome, ended }) =>
    log.info(`[${id}] was ${stage} without a sign of life: ${outcome}${ended === null ? '' : `, ${ended}`}`, { key }),
  )
}

/** `01HX… on w1@db2 (running 43 s)`; `now` by the store's clock. Pure. */
export function holderText({ id, worker, stage, since }: Holder, now?: number): string {
  const on = worker === null ? '' : ` on ${worker}`
  const age = now === undefined ? '' : ` ${formatDuration(Math.max(0, now - since))}`
  return `${id}${on} (${stage}${age})`
}

/** Pure. */
function clockText(aheadMs: number): string {
  const off = `${formatDuration(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'}`
  return `this host's clock is ${off} the server's: countdowns and put-backs may be that late between hosts; set it (NTP)`
}

/** Pure. */
export function differingText({ task, workers }: AppEvents['guard:differs']): string {
  return `task ${task} is not guarded alike by ${workers.join(', ')}: calls by its name follow the last of them that started`
}

function name({ label, id }: EventSubject): string {
  return `${label} [${id}]`
}

function againText(deliveries: number): string {
  return deliveries > 1 ? `, start ${deliveries}: an earlier one did not end` : ''
}

function levelOf({ outcome }: Ended): 'info' | 'error' {
  return outcome === 'failed' || outcome === 'lock_lost' ? 'error' : 'info'
}

/** Pure. */
export function endText(run: Ended): string {
  const { outcome, error, ms } = run
  if (outcome === 'ran') return `ran ${name(run)} in ${formatDuration(ms)}`
  const why = `${whyText(run)}${error === null ? '' : `: ${errorLine(error)}`}`
  return outcome === 'failed' || outcome === 'lock_lost'
    ? `${outcome} ${name(run)} after ${formatDuration(ms)}${why}`
    : `${outcome} ${name(run)}${why}`
}

function whyText({ code, error, attempt }: Ended): string {
  if (code === 'MAX_RETRIES') return `, out of retries at attempt ${attempt}`
  if (code === 'MAX_DELIVERIES')
    return `: its process died each time it was started${attempt > 0 ? `, at last at attempt ${attempt}` : ''}`
  return code === null || error !== null ? '' : ` (${code})`
}

/** `RangeError: what it said, caused by Error: why`, of an error as it travels. */
function errorLine(text: string): string {
  const lines: string[] = []
  for (let each: CarriedError | undefined = JSON.parse(text); each; each = each.cause) {
    lines.push(`${each.name}: ${each.message}`)
  }
  return lines.join(', caused by ')
}

function retryText(run: AppEvents['run:retried']): string {
  const why = run.error === null ? '' : `: ${errorLine(run.error)}`
  return `${name(run)} asked for retry ${run.retries} in ${formatDuration(run.countdownMs)}${why}`
}

function crashText(run: AppEvents['run:crashed']): string {
  const then = run.again ? 'queued for its redelivery' : 'it is not started again, told'
  return `the process of ${name(run)} died (${run.detail}): ${then} after ${formatDuration(run.ms)}`
}

function putBackText(run: AppEvents['run:putBack']): string {
  const holder = run.holder ? `, held by ${holderText(run.holder)}` : ''
  return `put back ${name(run)} for ${formatDuration(run.delayMs)}: ${run.why}${holder}`
}
