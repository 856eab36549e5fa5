/** One hold's steps that several verbs share. Called under the key's lock; a hold is named by its place. */
export const hold = (s: string): string => `
create function ${s}.end_call_v1(c ${s}.lock_call) returns void language plpgsql as $$
begin
  delete from ${s}.lock_call where app = c.app and key = c.key and place = c.place;
end $$;

-- Whether anybody holds the key, waits for it or lets it cool.
create function ${s}.has_calls_v1(p_app text, p_key text) returns boolean language plpgsql as $$
begin
  return exists (select from ${s}.lock_call where app = p_app and key = p_key);
end $$;

-- A message's own hold, or its parked call; a cooling hold has no message any more.
create function ${s}.call_of_v1(p_app text, p_key text, r jsonb) returns ${s}.lock_call language plpgsql as $$
declare
  c ${s}.lock_call;
begin
  select * into c from ${s}.lock_call where app = p_app and key = p_key and message_id = r->>'messageId'
    and round = (r->>'round')::integer and stage <> 'cooling';
  return c;
end $$;

create function ${s}.own_hold_v1(p_app text, p_key text, r jsonb) returns ${s}.lock_call language plpgsql as $$
declare
  c ${s}.lock_call := ${s}.call_of_v1(p_app, p_key, r);
begin
  return case when c.stage <> 'parked' then c end;
end $$;

-- Into queued, for a confirmation, a retry or a redelivery.
create function ${s}.enqueue_v1(c ${s}.lock_call, n bigint) returns void language plpgsql as $$
declare
  until bigint := greatest(n, coalesce(c.not_before, n)) + c.timeout_ms;
begin
  if c.worthless_at is not null then until := least(until, greatest(n, c.worthless_at)); end if;
  update ${s}.lock_call set stage = 'queued', since = n, owner = null, worker = null, barrier = null, slot = null,
      message = null, missed_at = null, not_before = c.not_before, retries = c.retries, deliveries = c.deliveries,
      expires_at = until, due_at = until
    where app = c.app and key = c.key and place = c.place;
end $$;

-- After a run of mode untilExpired: keeps the key until its grant + timeout, for nobody.
create function ${s}.cool_v1(c ${s}.lock_call, n bigint) returns void language plpgsql as $$
begin
  update ${s}.lock_call set stage = 'cooling', since = n, owner = null, worker = null, barrier = null, slot = null,
      token = null, expires_at = acquired_at + timeout_ms, due_at = acquired_at + timeout_ms
    where app = c.app and key = c.key and place = c.place;
end $$;

-- Tells a running hold to stop; it keeps its place until it has. The first who asked is remembered.
create function ${s}.cancel_v1(c ${s}.lock_call, p_how text, p_by text) returns void language plpgsql as $$
begin
  update ${s}.lock_call set cancelled_how = p_how, cancelled_by = p_by
    where app = c.app and key = c.key and place = c.place and cancelled_how is null;
  perform ${s}.notify_v1(c.app, 'worker:' || c.worker);
end $$;

-- How a message ends whose run was told to stop, whatever that run came to.
create function ${s}.record_cancelled_v1(c ${s}.lock_call, n bigint, p_result_ms bigint) returns ${s}.lock_outcome
language plpgsql as $$
begin
  return ${s}.record_outcome_v1(c.app, c.key, c.message_id, c.round, c.cancelled_how, c.token, null,
    upper(c.cancelled_how), null, case when c.cancelled_how = 'replaced' then c.cancelled_by end, n, p_result_ms);
end $$;`
