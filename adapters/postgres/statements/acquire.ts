/** A new row, of a hold that its verb moves on or of a parked call. */
const addCall = (s: string): string => `
create function ${s}.add_call_v1(p_app text, p_key text, r jsonb, p_stage text, p_message text, p_due bigint, n bigint)
returns ${s}.lock_call language plpgsql as $$
declare
  c ${s}.lock_call;
begin
  insert into ${s}.lock_call (app, key, message_id, round, stage, holder_set, task, label, queue, holder_limit, mode,
      timeout_ms, guarded, not_before, worthless_at, expires_at, due_at, acquired_at, since, message)
    values (p_app, p_key, r->>'messageId', (r->>'round')::integer, p_stage, ${s}.entry_set_v1(r->'terms'->>'mode'),
      r->'terms'->>'task', r->'terms'->>'label', r->'terms'->>'queue', (r->'terms'->>'limit')::integer,
      r->'terms'->>'mode', (r->'terms'->>'timeoutMs')::bigint, (r->'terms'->>'guarded')::boolean,
      (r->'terms'->>'notBefore')::bigint, (r->'terms'->>'expiresAt')::bigint, p_due, p_due, n, n, p_message)
    returning * into c;
  return c;
end $$;`

/** A caller is about to publish a message and asks for its key: grants, parks, coalesces, replaces or refuses. */
export const acquire = (s: string): string => `
${addCall(s)}

create function ${s}.acquire_v1(p_app text, p_key text, r jsonb, p_message text) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  n bigint := ${s}.lock_key_v1(p_app, p_key);
  named ${s}.lock_call;
  answer json;
begin
  -- Mostly nobody holds the key and nobody asked before: two looks instead of seven.
  if not ${s}.has_calls_v1(p_app, p_key) and (${s}.outcome_of_v1(p_app, p_key, r)).key is null then
    return ${s}.grant_v1(p_app, p_key, r, n);
  end if;
  if ${s}.settle_v1(p_app, p_key, n, (r->>'resultMs')::bigint) then perform ${s}.notify_v1(p_app, 'due'); end if;
  named := ${s}.holder_named_v1(p_app, p_key, r);
  answer := ${s}.acquired_before_v1(p_app, p_key, named, r, n);
  if answer is not null then return answer; end if;
  if not ${s}.is_held_v1(p_app, p_key, r) then return ${s}.grant_v1(p_app, p_key, r, n); end if;
  return case r->'whenHeld'->>'do'
    when 'replace' then ${s}.replace_v1(named, r, p_message, n)
    when 'park' then ${s}.park_v1(named, r, p_message, n)
    else ${s}.refuse_v1(named, r, false, n) end;
end $$;

-- The same message asking again gets what it got.
create function ${s}.acquired_before_v1(p_app text, p_key text, named ${s}.lock_call, r jsonb, n bigint) returns json
language plpgsql as $$
declare
  lease_until bigint := n + (r->>'publishLeaseMs')::bigint;
  o ${s}.lock_outcome := ${s}.outcome_of_v1(p_app, p_key, r);
  c ${s}.lock_call;
begin
  if o.outcome = 'coalesced' and o.token is null and o.into_id is not null and named.key is not null then
    return json_build_object('outcome', 'coalesced', 'into', o.into_id, 'behind', ${s}.holder_v1(named), 'now', n);
  end if;
  if o.key is not null then
    return json_build_object('outcome', 'finished', 'record', ${s}.outcome_v1(o), 'now', n);
  end if;
  c := ${s}.call_of_v1(p_app, p_key, r);
  if c.stage = 'publishing' then
    update ${s}.lock_call set expires_at = lease_until, due_at = lease_until
      where app = p_app and key = p_key and place = c.place;
    return json_build_object('outcome', 'granted', 'now', n);
  end if;
  if c.stage = 'parked' then
    return json_build_object('outcome', 'parked', 'behind', ${s}.holder_v1(named), 'now', n);
  end if;
  return case when c.key is not null then json_build_object('outcome', 'repeated', 'stage', c.stage, 'now', n) end;
end $$;

-- The holder an answer names: the first that is in the way; where only parked calls are, the first they wait for.
create function ${s}.holder_named_v1(p_app text, p_key text, r jsonb) returns ${s}.lock_call language plpgsql as $$
declare
  asked text := ${s}.entry_set_v1(r->'terms'->>'mode');
  c ${s}.lock_call;
begin
  select * into c from ${s}.rivals_v1(p_app, p_key, 'all')
    order by not ${s}.are_rivals_v1(holder_set, asked), place limit 1;
  return c;
end $$;

-- As many holders as the asker allows, or a parked call that must not be overtaken.
create function ${s}.is_held_v1(p_app text, p_key text, r jsonb) returns boolean language plpgsql as $$
begin
  return exists (select from ${s}.lock_call where app = p_app and key = p_key and stage = 'parked')
    or (select count(*) from ${s}.rivals_v1(p_app, p_key, ${s}.entry_set_v1(r->'terms'->>'mode')))
      >= (r->'terms'->>'limit')::integer;
end $$;

create function ${s}.grant_v1(p_app text, p_key text, r jsonb, n bigint) returns json language plpgsql as $$
begin
  perform ${s}.add_call_v1(p_app, p_key, r, 'publishing', null, n + (r->>'publishLeaseMs')::bigint, n);
  return json_build_object('outcome', 'granted', 'now', n);
end $$;

create function ${s}.refuse_v1(named ${s}.lock_call, r jsonb, p_full boolean, n bigint) returns json
language plpgsql as $$
declare
  doubt json := (select ${s}.doubt_v1(c, n)
    from ${s}.rivals_v1(named.app, named.key, ${s}.entry_set_v1(r->'terms'->>'mode')) c
    where ${s}.doubt_v1(c, n) is not null order by c.place limit 1);
begin
  return json_build_object('outcome', 'refused', 'holder', ${s}.holder_v1(named),
    'remainingMs', ${s}.remaining_ms_v1(named, n), 'doubt', doubt, 'full', p_full, 'now', n);
end $$;`
