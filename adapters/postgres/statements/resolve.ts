import { MISSING_MS } from '../../../src/lock/record.js'

/** The engine's word on a doubt. Looks again first: the holder may have come back, or its barrier may still be held. */
export const resolve = (s: string): string => `
create function ${s}.resolve_v1(p_app text, p_key text, r jsonb) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  n bigint := ${s}.lock_key_v1(p_app, p_key);
  absent boolean := r->>'state' in ('absent', 'finished');
  c ${s}.lock_call;
  o ${s}.lock_outcome;
begin
  perform ${s}.outlive_v1(p_app, p_key, ${s}.recover_until_v1(p_app, 0, n), n);
  c := ${s}.own_hold_v1(p_app, p_key, r->'doubt');
  if c.key is null or c.stage <> r->'doubt'->>'stage' then return json_build_object('outcome', 'kept', 'now', n); end if;
  if c.stage = 'queued' then return ${s}.resolve_queued_v1(c, absent, r, n); end if;
  if c.token is distinct from (r->'doubt'->>'token')::bigint
      or ${s}.doubt_v1(c, n) is null or c.stage = 'running' and coalesce(${s}.barrier_held_v1(c), false) then
    return json_build_object('outcome', 'kept', 'now', n);
  end if;
  if c.stage = 'running' then o := ${s}.end_cut_off_v1(c, absent, r, n); end if;
  if o.key is null and not absent then
    perform ${s}.enqueue_v1(c, n);
    return json_build_object('outcome', 'queued', 'now', n);
  end if;
  if o.key is null then perform ${s}.remember_v1(c, 'unpublished', null, n); end if;
  return ${s}.freed_v1(c, o, r, n);
end $$;

create function ${s}.freed_v1(c ${s}.lock_call, o ${s}.lock_outcome, r jsonb, n bigint) returns json
language plpgsql as $$
begin
  perform ${s}.end_call_v1(c);
  perform ${s}.settle_v1(c.app, c.key, n, (r->>'resultMs')::bigint);
  return json_build_object('outcome', 'freed', 'record', case when o.key is not null then ${s}.outcome_v1(o) end,
    'promotion', ${s}.take_promotion_v1(c.app, c.key, n, (r->>'publishLeaseMs')::bigint), 'now', n);
end $$;

-- Somebody purged the queue: a message that is missing twice, some time apart, and still queued, is given up for lost.
create function ${s}.resolve_queued_v1(c ${s}.lock_call, absent boolean, r jsonb, n bigint) returns json
language plpgsql as $$
begin
  if absent and c.missed_at + coalesce((r->>'missingMs')::bigint, ${MISSING_MS}) <= n then
    return ${s}.freed_v1(c, ${s}.record_outcome_v1(c.app, c.key, c.message_id, c.round, 'purged', c.token, null,
      'PURGED', null, null, n, (r->>'resultMs')::bigint), r, n);
  end if;
  update ${s}.lock_call set missed_at = case when absent then coalesce(c.missed_at, n) end
    where app = c.app and key = c.key and place = c.place;
  return json_build_object('outcome', 'kept', 'now', n);
end $$;

-- How a run ended that was cut off and will not come back, or came back too often; null: it is delivered again.
create function ${s}.end_cut_off_v1(c ${s}.lock_call, absent boolean, r jsonb, n bigint) returns ${s}.lock_outcome
language plpgsql as $$
declare
  result_ms bigint := (r->>'resultMs')::bigint;
begin
  if c.cancelled_how is not null then return ${s}.record_cancelled_v1(c, n, result_ms); end if;
  if absent then
    return ${s}.record_outcome_v1(c.app, c.key, c.message_id, c.round, 'lock_lost', c.token, null, 'LOCK_LOST', null,
      null, n, result_ms);
  end if;
  if c.deliveries < (r->>'maxDeliveries')::integer then return null; end if;
  return ${s}.record_outcome_v1(c.app, c.key, c.message_id, c.round, 'failed', c.token, null, 'MAX_DELIVERIES', null,
    null, n, result_ms);
end $$;`
