import { OUTCOME_ACKED_MS } from '../../../src/lock/record.js'

/** What becomes of a call that must wait its turn. */
export const park = (s: string): string => `
create function ${s}.park_v1(named ${s}.lock_call, r jsonb, p_message text, n bigint) returns json
language plpgsql as $$
declare
  parked bigint := (select count(*) from ${s}.lock_call
    where app = named.app and key = named.key and stage = 'parked');
begin
  if parked < (r->'whenHeld'->>'capacity')::bigint then
    perform ${s}.add_call_v1(named.app, named.key, r, 'parked', p_message, n, n);
    return json_build_object('outcome', 'parked', 'behind', ${s}.holder_v1(named), 'now', n);
  end if;
  if r->'whenHeld'->>'keep' = 'all' then return ${s}.refuse_v1(named, r, true, n); end if;
  return ${s}.coalesce_v1(named, r, p_message, n);
end $$;

create function ${s}.last_parked_v1(p_app text, p_key text) returns ${s}.lock_call language plpgsql as $$
declare
  c ${s}.lock_call;
begin
  select * into c from ${s}.lock_call where app = p_app and key = p_key and stage = 'parked'
    order by place desc limit 1;
  return c;
end $$;

-- The last parked call covers this one; to keep the latest it keeps its id and place and takes the newer call's text.
create function ${s}.coalesce_v1(named ${s}.lock_call, r jsonb, p_message text, n bigint) returns json
language plpgsql as $$
declare
  c ${s}.lock_call := ${s}.last_parked_v1(named.app, named.key);
  t jsonb := r->'terms';
begin
  if r->'whenHeld'->>'keep' = 'latest' then
    update ${s}.lock_call set holder_set = ${s}.entry_set_v1(t->>'mode'), task = t->>'task', label = t->>'label',
        queue = t->>'queue', holder_limit = (t->>'limit')::integer, mode = t->>'mode',
        timeout_ms = (t->>'timeoutMs')::bigint, guarded = (t->>'guarded')::boolean,
        not_before = (t->>'notBefore')::bigint, worthless_at = (t->>'expiresAt')::bigint, message = p_message
      where app = c.app and key = c.key and place = c.place;
    if not (t->>'mode' = c.mode and (t->>'limit')::integer = c.holder_limit) then
      perform ${s}.unsettle_v1(c.app, c.key);
    end if;
  end if;
  -- It never reached the engine: no redelivery to guard against, so it is kept for repeats only.
  perform ${s}.record_outcome_v1(c.app, c.key, r->>'messageId', (r->>'round')::integer, 'coalesced', null, null, null,
    null, c.message_id, n, (r->>'resultMs')::bigint, ${OUTCOME_ACKED_MS});
  return json_build_object('outcome', 'coalesced', 'into', c.message_id, 'behind', ${s}.holder_v1(named), 'now', n);
end $$;

-- At most one waits: the last parked call gives its place to the newcomer, who has the key if that is free now.
create function ${s}.replace_v1(named ${s}.lock_call, r jsonb, p_message text, n bigint) returns json
language plpgsql as $$
declare
  asked text := ${s}.entry_set_v1(r->'terms'->>'mode');
  waiting ${s}.lock_call;
  replaced text[] := '{}';
  answer json;
begin
  if (${s}.blocker_v1(named.app, named.key, asked, (r->'terms'->>'limit')::integer)).key is not null then
    replaced := array_remove(array[${s}.displace_v1(named.app, named.key, asked, r,
      (r->'whenHeld'->>'minRunMs')::bigint, n)], null);
  end if;
  waiting := ${s}.last_parked_v1(named.app, named.key);
  if waiting.key is not null then
    perform ${s}.end_replaced_v1(waiting, r, n);
    replaced := replaced || waiting.message_id;
  end if;
  if not ${s}.is_held_v1(named.app, named.key, r) then
    answer := ${s}.grant_v1(named.app, named.key, r, n);
  else
    perform ${s}.add_call_v1(named.app, named.key, r, 'parked', p_message, n, n);
    if ${s}.settle_v1(named.app, named.key, n, (r->>'resultMs')::bigint) then
      perform ${s}.notify_v1(named.app, 'due');
    end if;
    answer := json_build_object('outcome', 'parked', 'behind', ${s}.holder_v1(named), 'now', n);
  end if;
  if replaced = '{}' then return answer; end if;
  return (answer::jsonb || jsonb_build_object('replaced', replaced))::json;
end $$;`
