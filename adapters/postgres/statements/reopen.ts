/** The message is on its way once more: how this round or an earlier one ended is not its last word. */
export const reopen = (s: string): string => `
create function ${s}.reopen_v1(p_app text, p_key text, p_message_id text, p_round integer) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  n bigint := ${s}.lock_key_v1(p_app, p_key);
begin
  update ${s}.lock_outcome set reopened = true
    where app = p_app and key = p_key and message_id = p_message_id and round <= p_round;
  return json_build_object('now', n);
end $$;`
