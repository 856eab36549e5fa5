/**
 * An operator frees a key. A holder whose lease is over but whose session barrier is still held counts as living: by
 * force its session is ended, and if that is not allowed it keeps the key.
 */
export const clear = (s: string): string => `
create function ${s}.clear_v1(p_app text, p_key text, r jsonb) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  n bigint := ${s}.lock_key_v1(p_app, p_key);
  result_ms bigint := (r->>'resultMs')::bigint;
  discarded text[] := '{}';
  freed json[] := '{}';
  cancelled json[] := '{}';
  kept json[] := '{}';
  sessions json[] := '{}';
  session json;
  is_over boolean;
  barred boolean;
  c ${s}.lock_call;
begin
  perform ${s}.outlive_v1(p_app, p_key, ${s}.recover_until_v1(p_app, 0, n), n);
  -- Not settled first: a parked call that settling promotes would be taken for a holder and ended with it.
  if (r->>'parked')::boolean then discarded := ${s}.discard_parked_v1(p_app, p_key, n, result_ms); end if;
  for c in select * from ${s}.lock_call where app = p_app and key = p_key and stage <> 'parked' order by place loop
    is_over := c.stage = 'running' and c.expires_at + c.lock_delay_ms <= n;
    -- A process that is stopped keeps its key by its session alone.
    if c.barrier = 'session' and (r->>'running' = 'drop' or r->>'running' = 'cancel' and is_over) then
      session := ${s}.end_session_v1(c);
      if session is not null then sessions := sessions || session; end if;
    end if;
    barred := c.stage = 'running' and coalesce(${s}.barrier_held_v1(c), false);
    if c.stage <> 'running' or is_over and not barred or r->>'running' = 'drop' and not barred then
      freed := freed || ${s}.holder_v1(c);
      perform ${s}.end_call_v1(c);
      if c.stage = 'running' then perform ${s}.notify_v1(p_app, 'worker:' || c.worker); end if;
      -- A run that was told to stop must not come again; a parked call that had its turn exists only in the record.
      if c.cancelled_how is not null then
        perform ${s}.record_cancelled_v1(c, n, result_ms);
      elsif c.stage <> 'promoting' then
        perform ${s}.remember_v1(c, 'cleared', r->>'by', n);
      else
        perform ${s}.record_outcome_v1(p_app, p_key, c.message_id, c.round, 'cleared', null, null, 'CLEARED', null,
          null, n, result_ms);
      end if;
    elsif r->>'running' = 'cancel' and not is_over then
      cancelled := cancelled || ${s}.holder_v1(c);
      perform ${s}.cancel_v1(c, 'cleared', r->>'by');
    else
      kept := kept || ${s}.holder_v1(c);
    end if;
  end loop;
  perform ${s}.settle_v1(p_app, p_key, n, result_ms);
  return json_build_object('freed', freed, 'cancelled', cancelled, 'kept', kept, 'discarded', discarded,
    'sessions', sessions, 'promotion', ${s}.take_promotion_v1(p_app, p_key, n, (r->>'publishLeaseMs')::bigint), 'now', n);
end $$;

create function ${s}.discard_parked_v1(p_app text, p_key text, n bigint, p_result_ms bigint) returns text[]
language plpgsql as $$
declare
  c ${s}.lock_call;
  discarded text[] := '{}';
begin
  for c in select * from ${s}.lock_call where app = p_app and key = p_key and stage = 'parked' order by place loop
    discarded := discarded || c.message_id;
    perform ${s}.end_call_v1(c);
    perform ${s}.record_outcome_v1(p_app, p_key, c.message_id, c.round, 'revoked', null, null, 'REVOKED', null, null,
      n, p_result_ms);
  end loop;
  return discarded;
end $$;

-- The session that sits on a hold's barrier; ours, by its name.
create function ${s}.barrier_pid_v1(c ${s}.lock_call) returns integer language sql stable as $$
  select l.pid from pg_locks l join pg_stat_activity a on a.pid = l.pid,
      ${s}.barrier_id_v1(c.app, c.key, coalesce(c.slot, 0)) id
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and l.database = (select oid from pg_database where datname = current_database())
      and l.classid = (id >> 32 & 4294967295)::oid and l.objid = (id & 4294967295)::oid
      and l.pid <> pg_backend_pid() and a.application_name like 'beatlock:%'
$$;

-- All advisory locks of that session go with it. Null: nobody sits there.
create function ${s}.end_session_v1(c ${s}.lock_call) returns json language plpgsql as $$
declare
  sitting integer := ${s}.barrier_pid_v1(c);
  others integer;
  outcome text := 'stayed';
begin
  if sitting is null then return null; end if;
  others := (select count(*) - 1 from pg_locks where pid = sitting and locktype = 'advisory' and granted);
  begin
    if pg_terminate_backend(sitting, 2000) then outcome := 'ended'; end if;
  exception when insufficient_privilege then
    outcome := 'denied';
  end;
  return json_build_object('holder', c.message_id, 'worker', c.worker, 'outcome', outcome, 'others', others);
end $$;`
