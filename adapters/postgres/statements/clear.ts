/** An operator frees a key. A holder whose lease is over but whose session barrier is still held counts as living. */
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
  lives boolean;
  c ${s}.lock_call;
begin
  -- Not settled first: a parked call that settling promotes would be taken for a holder and ended with it.
  if (r->>'parked')::boolean then discarded := ${s}.discard_parked_v1(p_app, p_key, n, result_ms); end if;
  for c in select * from ${s}.lock_call where app = p_app and key = p_key and stage <> 'parked' order by place loop
    lives := c.stage = 'running' and (c.expires_at + c.lock_delay_ms > n or coalesce(${s}.barrier_held_v1(c), false));
    if not lives or r->>'running' = 'drop' then
      freed := freed || ${s}.holder_v1(c);
      perform ${s}.end_call_v1(c);
      -- A parked call that had its turn exists only in the record: freeing it ends it.
      if c.stage <> 'promoting' then
        perform ${s}.remember_v1(c, 'cleared', r->>'by', n);
      else
        perform ${s}.record_outcome_v1(p_app, p_key, c.message_id, c.round, 'cleared', null, null, 'CLEARED', null,
          null, n, result_ms);
      end if;
    elsif r->>'running' = 'cancel' then
      cancelled := cancelled || ${s}.holder_v1(c);
      perform ${s}.cancel_v1(c, 'cleared', r->>'by');
    else
      kept := kept || ${s}.holder_v1(c);
    end if;
  end loop;
  perform ${s}.settle_v1(p_app, p_key, n, result_ms);
  return json_build_object('freed', freed, 'cancelled', cancelled, 'kept', kept, 'discarded', discarded,
    'promotion', ${s}.take_promotion_v1(p_app, p_key, n, (r->>'publishLeaseMs')::bigint), 'now', n);
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
end $$;`
