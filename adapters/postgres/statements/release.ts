/** Ends a message: by its token once it ran, by its id before. Writes the outcome and pops the next in the same step. */
export const release = (s: string): string => `
create function ${s}.release_v1(p_app text, p_key text, r jsonb, p_result text, p_error text) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  n bigint := ${s}.lock_key_v1(p_app, p_key);
  asked bigint := (r->>'token')::bigint;
  o ${s}.lock_outcome := ${s}.outcome_of_v1(p_app, p_key, r);
  c ${s}.lock_call;
  promotion json;
begin
  if o.key is not null then return ${s}.released_again_v1(o, asked, n); end if;

  -- A parked call is ended by its id as well.
  c := ${s}.call_of_v1(p_app, p_key, r);
  if asked is null and c.stage = 'running'
      or asked is not null and (c.stage is distinct from 'running' or c.token is distinct from asked) then
    if asked is null or coalesce(c.token, 0) >= asked or not ${s}.is_lost_v1(p_app, p_key, r, n) then
      return json_build_object('outcome', 'stale', 'now', n);
    end if;
    -- What is here was there before this run, or is a redelivery's.
    if c.key is not null then perform ${s}.end_call_v1(c); end if;
    c := null;
  end if;
  if c.cancelled_how is not null then
    o := ${s}.record_cancelled_v1(c, n, (r->>'resultMs')::bigint);
  else
    o := ${s}.record_outcome_v1(p_app, p_key, r->>'messageId', (r->>'round')::integer, r->>'outcome', asked, p_result,
      r->>'code', p_error, null, n, (r->>'resultMs')::bigint);
  end if;
  -- A run that came to its own end may leave the key cooling.
  if c.stage = 'running' and c.mode = 'untilExpired' and c.cancelled_how is null then
    perform ${s}.cool_v1(c, n);
  elsif c.key is not null then
    perform ${s}.end_call_v1(c);
  end if;
  if ${s}.has_calls_v1(p_app, p_key) then
    perform ${s}.settle_v1(p_app, p_key, n, (r->>'resultMs')::bigint);
    promotion := ${s}.take_promotion_v1(p_app, p_key, n, (r->>'publishLeaseMs')::bigint);
  end if;
  return json_build_object('outcome', 'released', 'record', ${s}.outcome_v1(o), 'promotion', promotion, 'again', false,
    'now', n);
end $$;

-- The reply of the first time was lost: the same run hears the same answer, and the promotion is offered again.
create function ${s}.released_again_v1(o ${s}.lock_outcome, asked bigint, n bigint) returns json language plpgsql as $$
begin
  if o.token is distinct from asked then
    return json_build_object('outcome', 'finished', 'record', ${s}.outcome_v1(o), 'now', n);
  end if;
  return json_build_object('outcome', 'released', 'record', ${s}.outcome_v1(o),
    'promotion', ${s}.offered_promotion_v1(o.app, o.key), 'again', true, 'now', n);
end $$;`
