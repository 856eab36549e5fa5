/**
 * Takes one call back, whatever its stage: parked or not running yet it ends here; running it is told to stop, if that
 * is asked for. What nothing is known of gets its outcome too, for the delivery that may come. Without a key the message
 * is looked for by its id, before its key is locked: a message stays with its key.
 */
export const revoke = (s: string): string => `
create function ${s}.revoke_v1(p_app text, p_key text, r jsonb) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  found_key text := coalesce(p_key, ${s}.key_of_v1(p_app, r->>'messageId'));
  n bigint;
  o ${s}.lock_outcome;
  c ${s}.lock_call;
begin
  if found_key is null then return json_build_object('outcome', 'unknown', 'now', ${s}.clock_v1()); end if;
  n := ${s}.lock_key_v1(p_app, found_key);
  select * into c from ${s}.lock_call
    where app = p_app and key = found_key and message_id = r->>'messageId' and stage <> 'cooling'
    order by stage = 'parked', place limit 1;
  if c.stage = 'running' then return ${s}.revoke_run_v1(c, r, n); end if;
  if c.key is null then
    select * into o from ${s}.lock_outcome where app = p_app and key = found_key and message_id = r->>'messageId'
      order by round desc limit 1;
    if found and not o.reopened then return ${s}.revoked_before_v1(o, n); end if;
  else
    perform ${s}.end_call_v1(c);
  end if;
  o := ${s}.record_outcome_v1(p_app, found_key, r->>'messageId', coalesce(c.round, o.round + 1, (r->>'round')::integer),
    'revoked', null, null, 'REVOKED', null, null, n, (r->>'resultMs')::bigint);
  perform ${s}.settle_v1(p_app, found_key, n, (r->>'resultMs')::bigint);
  return json_build_object('outcome', 'revoked', 'key', o.key, 'record', ${s}.outcome_v1(o),
    'promotion', ${s}.take_promotion_v1(p_app, found_key, n, (r->>'publishLeaseMs')::bigint), 'again', false, 'now', n);
end $$;

-- Under which key a message is known, the private one of a call without a lock included; else null.
create function ${s}.key_of_v1(p_app text, p_message_id text) returns text language plpgsql as $$
begin
  return coalesce(
    (select key from ${s}.lock_call where app = p_app and message_id = p_message_id and stage <> 'cooling'
      order by round desc limit 1),
    (select key from ${s}.lock_outcome where app = p_app and message_id = p_message_id
      order by round desc, ended_at desc limit 1));
end $$;

create function ${s}.revoke_run_v1(c ${s}.lock_call, r jsonb, n bigint) returns json language plpgsql as $$
begin
  if not (r->>'terminate')::boolean then
    return json_build_object('outcome', 'running', 'holder', ${s}.holder_v1(c), 'now', n);
  end if;
  perform ${s}.cancel_v1(c, 'revoked', r->>'by');
  return json_build_object('outcome', 'cancelled', 'holder', ${s}.holder_v1(c), 'now', n);
end $$;

create function ${s}.revoked_before_v1(o ${s}.lock_outcome, n bigint) returns json language plpgsql as $$
begin
  if o.outcome <> 'revoked' then
    return json_build_object('outcome', 'finished', 'record', ${s}.outcome_v1(o), 'now', n);
  end if;
  return json_build_object('outcome', 'revoked', 'key', o.key, 'record', ${s}.outcome_v1(o),
    'promotion', ${s}.offered_promotion_v1(o.app, o.key), 'again', true, 'now', n);
end $$;`
