import { SHARED_REQUEST_MS } from '../../../src/lock/shared.js'

const GONE = (s: string): string => `coalesce(v.expires_at <= ${s}.clock_v1(), false)`
const UNTIL = (s: string): string => `${s}.clock_v1() + p_ttl_ms`

/**
 * Each step first takes its request's row: a repeat waits there for the step itself and hears its answer. The clock is
 * read where the value's row is locked.
 */
const step = (s: string, name: string, args: string, body: string): string => `
create function ${s}.${name}(p_app text, p_request text, p_key text${args}) returns text
language plpgsql set lock_timeout = '2s' as $$
declare
  a text;
begin
  perform ${s}.require_read_committed_v1();
  insert into ${s}.shared_request (app, request_id, at) values (p_app, p_request, ${s}.clock_v1()) on conflict do nothing;
  if not found then
    return (select answer from ${s}.shared_request where app = p_app and request_id = p_request);
  end if;
  ${body}
  update ${s}.shared_request set answer = a where app = p_app and request_id = p_request;
  delete from ${s}.shared_request q where q.ctid = any (array(
    select ctid from ${s}.shared_request where app = p_app and at <= ${s}.clock_v1() - ${SHARED_REQUEST_MS}
      order by at limit 10 for update skip locked));
  return a;
end $$;`

/** Shared values as rows; one function a verb. */
export const shared = (s: string): string =>
  [
    step(
      s,
      'set_shared_v1',
      ', p_value text, p_ttl_ms bigint',
      `insert into ${s}.shared_value as v (app, key, value, expires_at) values (p_app, p_key, p_value, ${UNTIL(s)})
    on conflict (app, key) do update set value = p_value, expires_at = ${UNTIL(s)};
  a := '1';`,
    ),
    step(
      s,
      'swap_shared_v1',
      ', p_value text, p_ttl_ms bigint, p_expected text',
      `if p_expected is null then
    insert into ${s}.shared_value as v (app, key, value, expires_at) values (p_app, p_key, p_value, ${UNTIL(s)})
      on conflict (app, key) do update set value = p_value, expires_at = ${UNTIL(s)} where ${GONE(s)};
  else
    update ${s}.shared_value v set value = p_value, expires_at = ${UNTIL(s)}
      where v.app = p_app and v.key = p_key and v.value = p_expected and not ${GONE(s)};
  end if;
  a := case when found then '1' else '0' end;`,
    ),
    step(
      s,
      'increase_shared_v1',
      ', p_by bigint, p_ttl_ms bigint',
      `insert into ${s}.shared_value as v (app, key, value, expires_at) values (p_app, p_key, p_by::text, ${UNTIL(s)})
    on conflict (app, key) do update set
      value = case when ${GONE(s)} then p_by::text else (v.value::numeric + p_by)::text end,
      expires_at = case when ${GONE(s)} then ${UNTIL(s)} else v.expires_at end
    where case when ${GONE(s)} then true when v.value !~ '^-?[0-9]+$' then false
      else abs(v.value::numeric + p_by) <= ${Number.MAX_SAFE_INTEGER} end
    returning v.value into a;
  if not found then
    select case when v.value ~ '^-?[0-9]+$' then 'too large' else 'no number' end into a
      from ${s}.shared_value v where v.app = p_app and v.key = p_key;
  end if;`,
    ),
    step(
      s,
      'delete_shared_v1',
      '',
      `delete from ${s}.shared_value v where v.app = p_app and v.key = p_key returning not ${GONE(s)} into a;
  a := case when a = 'true' then '1' else '0' end;`,
    ),
  ].join('\n')

/** $1 app, $2 key: the text, and what is left of its time. */
export const sharedValue = (s: string): string => `
select v.value, (v.expires_at - ${s}.clock_v1())::double precision as left_ms from ${s}.shared_value v
  where v.app = $1 and v.key = $2 and not ${GONE(s)}`
