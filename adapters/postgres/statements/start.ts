/** The step to running. Only this one mints a token. */
export const start = (s: string): string => `
create function ${s}.start_v1(own ${s}.lock_call, r jsonb, n bigint) returns json language plpgsql as $$
declare
  lease_until bigint := n + (r->>'leaseMs')::bigint;
  wanted text := ${s}.run_set_v1(own.mode);
  moved boolean := own.holder_set <> wanted;
  next_token bigint;
  answer json;
begin
  if own.not_before > n then
    return json_build_object('outcome', 'early', 'remainingMs', own.not_before - n, 'now', n);
  end if;
  if own.deliveries >= (r->>'maxDeliveries')::integer then return ${s}.give_up_v1(own, r, n); end if;
  answer := ${s}.without_seat_v1(own, r, n);
  if answer is not null then return answer; end if;
  if (r->>'recoverUntil')::bigint > n then return ${s}.recovering_v1(r, n); end if;

  update ${s}.lock_key set last_token = greatest(last_token + 1, n * 1000)
    where app = own.app and key = own.key returning last_token into next_token;
  update ${s}.lock_call set stage = 'running', holder_set = wanted, since = n, token = next_token,
      owner = r->>'owner', worker = r->>'worker', barrier = r->>'barrier', slot = (r->>'slot')::integer,
      lease_ms = (r->>'leaseMs')::bigint, lock_delay_ms = (r->>'lockDelayMs')::bigint, expires_at = lease_until,
      due_at = lease_until + (r->>'lockDelayMs')::bigint, deliveries = deliveries + 1, message = null
    where app = own.app and key = own.key and place = own.place
    returning * into own;
  if not moved then return ${s}.run_granted_v1(own, null, n); end if;
  perform ${s}.settle_v1(own.app, own.key, n, (r->>'resultMs')::bigint);
  return ${s}.run_granted_v1(own,
    ${s}.take_promotion_v1(own.app, own.key, n, (r->>'publishLeaseMs')::bigint), n);
end $$;

-- The seat is looked at before the place is taken: a message that is refused here leaves no trace.
create function ${s}.start_anew_v1(p_app text, p_key text, r jsonb, n bigint) returns json language plpgsql as $$
declare
  own ${s}.lock_call;
  answer json;
begin
  own.app := p_app;
  own.key := p_key;
  own.mode := r->'terms'->>'mode';
  own.holder_limit := (r->'terms'->>'limit')::integer;
  own.holder_set := ${s}.entry_set_v1(own.mode);
  answer := ${s}.without_seat_v1(own, r, n);
  if answer is not null then return answer; end if;
  if (r->>'recoverUntil')::bigint > n and own.mode = 'whileExecuting' then return ${s}.recovering_v1(r, n); end if;
  own := ${s}.call_of_v1(p_app, p_key, r);
  if own.key is not null then
    perform ${s}.end_call_v1(own);
    perform ${s}.unsettle_v1(p_app, p_key);
  end if;
  own := ${s}.add_call_v1(p_app, p_key, r, 'publishing', null, n, n);
  if (r->>'recoverUntil')::bigint > n then
    -- The message is the proof that it had a place.
    perform ${s}.enqueue_v1(own, n);
    own := ${s}.own_hold_v1(p_app, p_key, r);
  end if;
  return ${s}.start_v1(own, r, n);
end $$;

-- Data may be missing: nothing starts yet.
create function ${s}.recovering_v1(r jsonb, n bigint) returns json language sql stable as $$
  select json_build_object('outcome', 'recovering', 'remainingMs', (r->>'recoverUntil')::bigint - n, 'now', n)
$$;

-- A place among the waiting gives none among the running, and a place gives no particular slot. Null: it may run.
create function ${s}.without_seat_v1(own ${s}.lock_call, r jsonb, n bigint) returns json language plpgsql as $$
declare
  wanted text := ${s}.run_set_v1(own.mode);
  other ${s}.lock_call;
  taken integer[];
begin
  if wanted = 'free' then return null; end if;
  if own.holder_set <> wanted then
    other := ${s}.blocker_v1(own.app, own.key, wanted, own.holder_limit, own.place);
    if other.key is not null then return ${s}.refused_v1(other, n); end if;
  end if;
  taken := array(select c.slot from ${s}.rivals_v1(own.app, own.key, 'all', own.place) c
    where c.stage = 'running' order by c.place);
  if array_position(taken, (r->>'slot')::integer) is null then return null; end if;
  select * into other from ${s}.rivals_v1(own.app, own.key, 'all', own.place)
    where stage = 'running' and slot = (r->>'slot')::integer order by place limit 1;
  return json_build_object('outcome', 'slotTaken', 'taken', taken, 'holder', ${s}.holder_v1(other),
    'remainingMs', ${s}.remaining_ms_v1(other, n), 'now', n);
end $$;

create function ${s}.run_granted_v1(own ${s}.lock_call, promotion json, n bigint) returns json language sql stable as $$
  select json_build_object('outcome', 'granted', 'token', own.token, 'deliveries', own.deliveries,
    'retries', own.retries, 'expiresAt', own.expires_at, 'promotion', promotion, 'now', n)
$$;

-- Started too often without an end.
create function ${s}.give_up_v1(c ${s}.lock_call, r jsonb, n bigint) returns json language plpgsql as $$
begin
  perform ${s}.end_call_v1(c);
  return ${s}.ended_v1(${s}.record_outcome_v1(c.app, c.key, c.message_id, c.round, 'failed', c.token, null,
    'MAX_DELIVERIES', null, null, n, (r->>'resultMs')::bigint), r, n);
end $$;

-- A hold has ended for good: hands the key on.
create function ${s}.ended_v1(o ${s}.lock_outcome, r jsonb, n bigint) returns json language plpgsql as $$
begin
  perform ${s}.settle_v1(o.app, o.key, n, (r->>'resultMs')::bigint);
  return json_build_object('outcome', 'ended', 'record', ${s}.outcome_v1(o),
    'promotion', ${s}.take_promotion_v1(o.app, o.key, n, (r->>'publishLeaseMs')::bigint), 'now', n);
end $$;`
