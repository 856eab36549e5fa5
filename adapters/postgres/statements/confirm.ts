/**
 * The engine has these messages: many keys in one statement, locked in key order. A message that is no longer being
 * published is left as it is.
 */
export const confirm = (s: string): string => `
create function ${s}.confirm_v1(p_app text, p_keys text[], p_messages text[], p_rounds integer[]) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  n bigint;
  c ${s}.lock_call;
begin
  perform ${s}.require_read_committed_v1();
  perform 1 from (
    select k.key from ${s}.lock_key k where k.app = p_app and k.key = any (p_keys) order by k.key for no key update
  ) locked;
  n := ${s}.clock_v1();
  for c in
    select h.* from unnest(p_keys, p_messages, p_rounds) as asked (key, message_id, round)
      join ${s}.lock_call h using (key, message_id, round)
      where h.app = p_app and h.stage in ('publishing', 'promoting')
  loop
    perform ${s}.enqueue_v1(c, n);
  end loop;
  return json_build_object('now', n);
end $$;`
