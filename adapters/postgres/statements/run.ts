/** A delivered message asks to run: with the place it has, or one that it finds or makes now. */
export const run = (s: string): string => `
create function ${s}.run_v1(p_app text, p_key text, r jsonb) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  n bigint := ${s}.lock_key_v1(p_app, p_key);
  answer json;
  taken text;
begin
  r := r || jsonb_build_object('recoverUntil',
    ${s}.recover_until_v1(p_app, (r->>'leaseMs')::bigint + (r->>'lockDelayMs')::bigint, n));
  perform ${s}.outlive_v1(p_app, p_key, (r->>'recoverUntil')::bigint, n);
  -- Its own place comes before settling: a queued hold that just ran out is not lost to a delivery that is here now.
  answer := ${s}.own_place_v1(p_app, p_key, r, n);
  if answer is not null then return answer; end if;
  -- Settling may give a parked call of this very message its turn, or end it.
  if ${s}.settle_v1(p_app, p_key, n, (r->>'resultMs')::bigint) then perform ${s}.notify_v1(p_app, 'due'); end if;
  answer := ${s}.own_place_v1(p_app, p_key, r, n);
  if answer is not null then return answer; end if;

  taken := ${s}.taken_set_v1(p_app, p_key, r->'terms');
  if taken is not null and r->>'whenHeld' = 'replace' then
    if ${s}.displace_v1(p_app, p_key, taken, r, (r->>'minRunMs')::bigint, n) is not null then
      perform ${s}.unsettle_v1(p_app, p_key);
    end if;
    taken := ${s}.taken_set_v1(p_app, p_key, r->'terms');
  end if;
  if taken is not null then return ${s}.run_behind_v1(p_app, p_key, taken, r, n); end if;
  return ${s}.start_anew_v1(p_app, p_key, r, n);
end $$;

create function ${s}.own_place_v1(p_app text, p_key text, r jsonb, n bigint) returns json language plpgsql as $$
declare
  o ${s}.lock_outcome := ${s}.outcome_of_v1(p_app, p_key, r);
  own ${s}.lock_call;
begin
  if o.key is not null then
    return json_build_object('outcome', 'finished', 'record', ${s}.outcome_v1(o), 'now', n);
  end if;
  own := ${s}.own_hold_v1(p_app, p_key, r);
  if own.stage = 'running' then return ${s}.run_again_v1(own, r, n); end if;
  if own.key is not null then return ${s}.start_v1(own, r, n); end if;
  return null;
end $$;

-- The same attempt asks again while its lease lives, or a redelivery came. One that does not bring the session barrier of
-- the very slot must find the old one free.
create function ${s}.run_again_v1(own ${s}.lock_call, r jsonb, n bigint) returns json language plpgsql as $$
begin
  if own.owner = r->>'owner' and own.expires_at > n then return ${s}.run_granted_v1(own, null, n); end if;
  if own.expires_at + own.lock_delay_ms > n or own.cancelled_how is not null
      or ((r->>'barrier' <> 'session' or (r->>'slot')::integer <> own.slot) and ${s}.barrier_held_v1(own)) then
    return ${s}.refused_v1(own, n);
  end if;
  return ${s}.start_v1(own, r, n);
end $$;

-- Without a place of its own a message needs one as at publish, and one among the running. Null: it may start.
create function ${s}.taken_set_v1(p_app text, p_key text, t jsonb) returns text language plpgsql as $$
declare
  asked text;
begin
  foreach asked in array array[${s}.entry_set_v1(t->>'mode'), ${s}.run_set_v1(t->>'mode')] loop
    if (${s}.blocker_v1(p_app, p_key, asked, (t->>'limit')::integer)).key is not null then return asked; end if;
  end loop;
  return null;
end $$;

-- A set of holds is full and the message has no hold of its own: it waits, or ends here.
create function ${s}.run_behind_v1(p_app text, p_key text, p_set text, r jsonb, n bigint) returns json
language plpgsql as $$
declare
  o ${s}.lock_outcome;
  c ${s}.lock_call;
begin
  -- Asked for again by its id after it lost its hold, it may be parked: it waits for its turn there, under one name.
  if (${s}.call_of_v1(p_app, p_key, r)).key is null and r->>'whenHeld' in ('skip', 'coalesce') then
    -- A publisher may still fail: what it is about to publish covers nobody. Nor does a run that has ended, or must.
    select * into c from ${s}.rivals_v1(p_app, p_key, p_set)
      where r->>'whenHeld' = 'skip' or stage not in ('publishing', 'cooling') and cancelled_how is null
        and (stage <> 'running' or since > (r->>'publishedAt')::bigint)
      order by place limit 1;
  end if;
  if c.key is null then
    return ${s}.refused_v1(${s}.blocker_v1(p_app, p_key, p_set, 0), n);
  end if;
  o := ${s}.record_outcome_v1(p_app, p_key, r->>'messageId', (r->>'round')::integer,
    case r->>'whenHeld' when 'skip' then 'skipped' else 'coalesced' end, null, null, null, null, c.message_id, n,
    (r->>'resultMs')::bigint);
  return json_build_object('outcome', 'ended', 'record', ${s}.outcome_v1(o), 'promotion', null, 'now', n);
end $$;`
