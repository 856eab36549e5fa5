import type { HoldTerms, MessageRef } from '../../src/lock/hold.js'
import type { Request } from './connection.js'
import type { Script } from './script.js'
import type { Shard } from './shard.js'

type Argument = string | number | null

/** Scripts take flat texts; null travels as ''. No argument that may be null can be an empty text. */
function textOf(argument: Argument): string {
  return argument === null ? '' : String(argument)
}

/** A script's run on one shard of one app: the shard's own keys are declared, the rest is in its slot. */
export function scriptOn(shard: Shard, app: string, script: Script, args: readonly Argument[]): Request {
  const { base, apps } = shard
  const keys = [`${base}due`, `${base}index`, `${base}token`, apps]
  return { script, keys, args: [app, base, ...args.map(textOf)] }
}

export function refArguments({ key, messageId, round }: MessageRef): Argument[] {
  return [key, messageId, round]
}

/** In the order of terms_at in scripts/record.ts. */
export function termsArguments(terms: HoldTerms): Argument[] {
  const { task, label, queue, limit, mode, timeoutMs, guarded, notBefore, expiresAt } = terms
  return [task, label, queue, limit, mode, timeoutMs, guarded ? 1 : 0, notBefore, expiresAt]
}
