/**
 * The rules of src/lock/recovery.ts. Commits may be missing where the cluster is another one, or another timeline of it:
 * a standby was promoted, a backup restored.
 */
export const recovery = (s: string): string => `
-- Null where the server does not tell, as Aurora is said not to. The timeline is that of
-- the last record written: the control file's changes only at the checkpoint after a promotion. Some 20 microseconds.
create function ${s}.epoch_v1() returns text language plpgsql as $$
begin
  return (select system_identifier from pg_control_system()) || ' ' || left(pg_walfile_name(pg_current_wal_lsn()), 8);
exception when others then
  return null;
end $$;

-- Until when starts are withheld, epoch ms; long past, or 0: they are not. p_grace_ms: the asker's own lease and lock
-- delay, which count from now on.
create function ${s}.recover_until_v1(p_app text, p_grace_ms bigint, n bigint) returns bigint language plpgsql as $$
declare
  present text := ${s}.epoch_v1();
  e ${s}.epoch;
  longest bigint;
begin
  select * into e from ${s}.epoch;
  if present is not null and e.epoch is distinct from present then
    insert into ${s}.epoch as known (epoch) values (present)
      on conflict (single) do update set epoch = present, lost_at = n where known.epoch <> present;
    select * into e from ${s}.epoch;
  end if;
  -- The server's clock was set back since: from here on the grace is at most what it is.
  if e.lost_at > n then
    update ${s}.epoch set lost_at = n where lost_at > n;
    e.lost_at := n;
  end if;
  select grace_ms into longest from ${s}.grace where app = p_app;
  if p_grace_ms > coalesce(longest, 0) then
    insert into ${s}.grace as known (app, grace_ms) values (p_app, p_grace_ms)
      on conflict (app) do update set grace_ms = greatest(known.grace_ms, excluded.grace_ms);
    longest := p_grace_ms;
  end if;
  return coalesce(e.lost_at + coalesce(longest, 0), 0);
end $$;

-- A run that the data still tells of was maybe renewed after they were written down.
create function ${s}.outlive_v1(p_app text, p_key text, p_until bigint, n bigint) returns void language plpgsql as $$
begin
  if p_until <= n then return; end if;
  update ${s}.lock_call set expires_at = p_until - lock_delay_ms, due_at = p_until
    where app = p_app and key = p_key and stage = 'running' and expires_at + lock_delay_ms < p_until;
end $$;

-- Whether this very hold ended while its message did not, and is known to have: that was no loss of data.
create function ${s}.ended_since_v1(p_app text, p_key text, p_message text, p_token bigint) returns boolean
language plpgsql as $$
begin
  return exists (select from ${s}.lock_event
    where app = p_app and key = p_key and message_id = p_message and at * 1000 >= p_token);
end $$;

-- The hold of a run that ended went with the data: it says so itself, as long as no later one is known of.
create function ${s}.is_lost_v1(p_app text, p_key text, r jsonb, n bigint) returns boolean language plpgsql as $$
declare
  asked bigint := (r->>'token')::bigint;
  later integer;
  most integer;
begin
  if ${s}.recover_until_v1(p_app, 0, n) <= n then return false; end if;
  select count(*), max(holder_limit) into later, most from ${s}.lock_call
    where app = p_app and key = p_key and stage = 'running' and token > asked;
  return (later = 0 or later < most) and not ${s}.ended_since_v1(p_app, p_key, r->>'messageId', asked);
end $$;`

/** The rules of src/lock/transition/reclaim.ts. */
export const reclaim = (s: string): string => `
-- The lease l of a run whose hold is gone makes it anew, under the key's lock.
create function ${s}.reclaim_v1(p_app text, l jsonb, n bigint) returns json language plpgsql as $$
declare
  p_key text := l->>'key';
  asked bigint := (l->>'token')::bigint;
  wanted text := ${s}.run_set_v1(l->'claim'->'terms'->>'mode');
  wanted_slot integer := (l->'claim'->>'slot')::integer;
  ref jsonb := (l->'claim') || jsonb_build_object('messageId', l->'messageId');
  own ${s}.lock_call;
  firm integer;
  seated boolean;
begin
  perform ${s}.lock_key_v1(p_app, p_key);
  own := ${s}.own_hold_v1(p_app, p_key, ref);
  -- Given back, or granted anew, after this run.
  if (${s}.outcome_of_v1(p_app, p_key, ref)).key is not null or own.token >= asked
      or ${s}.ended_since_v1(p_app, p_key, l->>'messageId', asked) then
    return json_build_object('outcome', 'lost', 'reason', 'ended');
  end if;
  select count(*), bool_or(slot = wanted_slot) into firm, seated
    from ${s}.rivals_v1(p_app, p_key, wanted, own.place) where stage = 'running' and token > asked;
  if firm >= (l->'claim'->'terms'->>'limit')::integer or seated then
    return json_build_object('outcome', 'lost', 'reason', 'taken');
  end if;
  perform ${s}.make_room_v1(p_app, p_key, l, own.place, n);
  return ${s}.seat_again_v1(p_app, p_key, own, ref, l, n);
end $$;

-- Who has the same slot goes in any case; then who does not run yet, the last to come first; then the lowest token.
create function ${s}.make_room_v1(p_app text, p_key text, l jsonb, p_own bigint, n bigint) returns void
language plpgsql as $$
declare
  wanted text := ${s}.run_set_v1(l->'claim'->'terms'->>'mode');
  sitting bigint := (select place from ${s}.rivals_v1(p_app, p_key, wanted, p_own)
    where stage = 'running' and slot = (l->'claim'->>'slot')::integer order by place limit 1);
  crowd bigint := (select count(*) from ${s}.rivals_v1(p_app, p_key, wanted, p_own) where place is distinct from sitting);
  c ${s}.lock_call;
begin
  for c in
    select h.* from ${s}.rivals_v1(p_app, p_key, wanted, p_own) h where h.place = sitting
    union all
    (select h.* from ${s}.rivals_v1(p_app, p_key, wanted, p_own) h
      where h.place is distinct from sitting and (h.stage <> 'running' or h.token <= (l->>'token')::bigint)
      order by h.stage = 'running', case when h.stage = 'running' then h.token else -h.place end
      limit greatest(0, crowd - (l->'claim'->'terms'->>'limit')::integer + 1))
  loop
    perform ${s}.make_way_v1(c, n);
  end loop;
end $$;

-- Its message, if it has one with the engine, passes the guard again; one that exists in the record only waits again,
-- before those that were parked after it.
create function ${s}.make_way_v1(c ${s}.lock_call, n bigint) returns void language plpgsql as $$
begin
  if c.stage = 'promoting' and c.message is not null then
    update ${s}.lock_call set stage = 'parked', holder_set = ${s}.entry_set_v1(c.mode), expires_at = c.since,
        due_at = c.since
      where app = c.app and key = c.key and place = c.place;
    return;
  end if;
  perform ${s}.end_call_v1(c);
  if c.stage <> 'cooling' then perform ${s}.remember_v1(c, 'displaced', null, n); end if;
end $$;

create function ${s}.seat_again_v1(p_app text, p_key text, own ${s}.lock_call, ref jsonb, l jsonb, n bigint)
returns json language plpgsql as $$
declare
  asked bigint := (l->>'token')::bigint;
  -- A token is at least the microseconds of its grant.
  began bigint := least(n, asked / 1000);
  lease_until bigint := n + (l->>'leaseMs')::bigint;
  parked ${s}.lock_call;
begin
  if own.key is null then
    parked := ${s}.call_of_v1(p_app, p_key, ref);
    if parked.key is not null then perform ${s}.end_call_v1(parked); end if;
    own := ${s}.add_call_v1(p_app, p_key, ref, 'publishing', null, began, began);
  end if;
  update ${s}.lock_key set last_token = greatest(last_token, asked) where app = p_app and key = p_key;
  update ${s}.lock_call set stage = 'running', holder_set = ${s}.run_set_v1(own.mode), since = began, token = asked,
      owner = ref->>'owner', worker = ref->>'worker', barrier = ref->>'barrier', slot = (ref->>'slot')::integer,
      lease_ms = (l->>'leaseMs')::bigint, lock_delay_ms = (ref->>'lockDelayMs')::bigint, expires_at = lease_until,
      due_at = lease_until + (ref->>'lockDelayMs')::bigint, deliveries = (ref->>'deliveries')::integer,
      retries = (ref->>'retries')::integer, missed_at = null, message = null
    where app = p_app and key = p_key and place = own.place;
  return json_build_object('outcome', 'renewed', 'expiresAt', lease_until);
end $$;`
