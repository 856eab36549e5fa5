/** A running hold falls back to its own message: a retry with its delay, or the redelivery of a dead run. */
export const requeue = (s: string): string => `
create function ${s}.requeue_v1(p_app text, p_key text, r jsonb) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  n bigint := ${s}.lock_key_v1(p_app, p_key);
  asked bigint := (r->>'token')::bigint;
  o ${s}.lock_outcome := ${s}.outcome_of_v1(p_app, p_key, r);
  c ${s}.lock_call;
begin
  if o.key is not null then
    if o.token is distinct from asked then return json_build_object('outcome', 'stale', 'now', n); end if;
    return json_build_object('outcome', 'finished', 'record', ${s}.outcome_v1(o), 'now', n);
  end if;
  c := ${s}.own_hold_v1(p_app, p_key, r);
  if c.key is null or c.token is distinct from asked then
    return json_build_object('outcome', 'stale', 'now', n);
  end if;
  if c.stage = 'queued' then
    return json_build_object('outcome', 'queued', 'notBefore', coalesce(c.not_before, n), 'now', n);
  end if;
  if c.cancelled_how is not null then
    perform ${s}.end_call_v1(c);
    return ${s}.ended_v1(${s}.record_cancelled_v1(c, n, (r->>'resultMs')::bigint), r, n);
  end if;
  if r->>'reason' = 'redelivery' and c.deliveries >= (r->>'maxDeliveries')::integer then
    return ${s}.give_up_v1(c, r, n);
  end if;
  c.not_before := n + (r->>'delayMs')::bigint;
  if r->>'reason' = 'retry' then
    c.retries := c.retries + 1;
    c.deliveries := 0;
  elsif r->>'reason' = 'unstarted' then
    c.deliveries := greatest(0, c.deliveries - 1);
  end if;
  perform ${s}.enqueue_v1(c, n);
  return json_build_object('outcome', 'queued', 'notBefore', c.not_before, 'now', n);
end $$;`
