import { OUTCOME_UNACKED_MS } from '../../../src/lock/record.js'

/** Writes how a message ended. The first writer wins; the outcome in force is answered. Called under the key's lock. */
export const recordOutcome = (s: string): string => `
create function ${s}.record_outcome_v1(
  p_app text, p_key text, p_message_id text, p_round integer, p_outcome text, p_token bigint, p_result text,
  p_code text, p_error text, p_into text, n bigint, p_result_ms bigint, p_keep_ms bigint default ${OUTCOME_UNACKED_MS}
) returns ${s}.lock_outcome language plpgsql as $$
declare
  o ${s}.lock_outcome;
begin
  insert into ${s}.lock_outcome (app, key, message_id, round, outcome, token, result, code, error, into_id, ended_at,
      keep_until, result_until)
    values (p_app, p_key, p_message_id, p_round, p_outcome, p_token, p_result, p_code, p_error, p_into, n,
      n + p_keep_ms, n + p_result_ms)
    on conflict do nothing
    returning * into o;
  if found then
    perform ${s}.notify_end_v1(o);
  else
    select * into o from ${s}.lock_outcome
      where app = p_app and key = p_key and message_id = p_message_id and round = p_round;
  end if;
  return o;
end $$;`

/**
 * Ends what waited or cooled long enough, then gives free places to parked calls in order. Called under the key's lock.
 * Answers whether a parked call was given its turn.
 */
export const settle = (s: string): string => `
create function ${s}.settle_v1(p_app text, p_key text, n bigint, p_result_ms bigint) returns boolean language plpgsql as $$
declare
  turned boolean := false;
  c ${s}.lock_call;
begin
  for c in
    select * from ${s}.lock_call where app = p_app and key = p_key
      and (stage in ('queued', 'cooling') and expires_at <= n or stage = 'promoting' and worthless_at <= n)
      order by place
  loop
    perform ${s}.end_call_v1(c);
    if c.stage = 'queued' then perform ${s}.remember_v1(c, 'lapsed', null, n); end if;
    if c.stage = 'promoting' then perform ${s}.record_expired_v1(c, n, p_result_ms); end if;
  end loop;
  loop
    select * into c from ${s}.lock_call where app = p_app and key = p_key and stage = 'parked' order by place limit 1;
    exit when not found or ${s}.is_blocked_v1(c);
    if c.worthless_at <= n then
      perform ${s}.end_call_v1(c);
      perform ${s}.record_expired_v1(c, n, p_result_ms);
    else
      update ${s}.lock_call set stage = 'promoting', place = default, expires_at = n, due_at = n, acquired_at = n, since = n
        where app = p_app and key = p_key and place = c.place;
      perform ${s}.notify_turn_v1(c);
      turned := true;
    end if;
  end loop;
  return turned;
end $$;

create function ${s}.is_blocked_v1(c ${s}.lock_call) returns boolean language plpgsql as $$
begin
  return (select count(*) from ${s}.rivals_v1(c.app, c.key, c.holder_set)) >= c.holder_limit;
end $$;

create function ${s}.record_expired_v1(c ${s}.lock_call, n bigint, p_result_ms bigint) returns void
language plpgsql as $$
begin
  perform ${s}.record_outcome_v1(c.app, c.key, c.message_id, c.round, 'expired', null, null, 'EXPIRED', null, null, n,
    p_result_ms);
end $$;

-- A verb that may leave a parked call its turn without settling: nothing is due then, so the sweep is told to look.
create function ${s}.unsettle_v1(p_app text, p_key text) returns void language plpgsql as $$
begin
  if exists (select from ${s}.lock_call where app = p_app and key = p_key and stage = 'parked') then
    update ${s}.lock_key set unsettled = true where app = p_app and key = p_key;
  end if;
end $$;`

/** Parked calls whose turn has come, as they are handed out to be published. */
export const promotions = (s: string): string => `
-- For a verb's answer, which carries one; what is left is the sweepers'.
create function ${s}.take_promotion_v1(p_app text, p_key text, n bigint, p_lease_ms bigint) returns json
language plpgsql as $$
declare
  taken json := ${s}.next_promotion_v1(p_app, p_key, n, p_lease_ms);
begin
  if taken is not null and exists (select from ${s}.lock_call
      where app = p_app and key = p_key and stage = 'promoting' and due_at <= n and message is not null) then
    perform ${s}.notify_v1(p_app, 'due');
  end if;
  return taken;
end $$;

-- Hands out one, and moves its next look on: no two hands publish it at once.
create function ${s}.next_promotion_v1(p_app text, p_key text, n bigint, p_lease_ms bigint) returns json
language plpgsql as $$
declare
  c ${s}.lock_call;
begin
  select * into c from ${s}.lock_call
    where app = p_app and key = p_key and stage = 'promoting' and due_at <= n and message is not null
    order by place limit 1;
  if not found then return null; end if;
  update ${s}.lock_call set due_at = n + p_lease_ms where app = p_app and key = p_key and place = c.place;
  return ${s}.promotion_v1(c);
end $$;

-- The promotion of a lost reply, once more: to whoever asks again, though it was handed out.
create function ${s}.offered_promotion_v1(p_app text, p_key text) returns json language plpgsql as $$
declare
  c ${s}.lock_call;
begin
  select * into c from ${s}.lock_call
    where app = p_app and key = p_key and stage = 'promoting' and message is not null order by place limit 1;
  return case when c.key is not null then ${s}.promotion_v1(c) end;
end $$;`
