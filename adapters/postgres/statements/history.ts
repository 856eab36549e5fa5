/** As many as the pure model keeps. */
const KEPT = 20

/** Remembers a hold that ended while its message did not. Called under the key's lock. */
export const history = (s: string): string => `
create function ${s}.remember_v1(c ${s}.lock_call, p_event text, p_by text, n bigint) returns void language plpgsql as $$
begin
  insert into ${s}.lock_event (app, key, at, event, message_id, by)
    values (c.app, c.key, n, p_event, c.message_id, p_by);
  delete from ${s}.lock_event where app = c.app and key = c.key and place <= (
    select place from ${s}.lock_event where app = c.app and key = c.key order by place desc offset ${KEPT} limit 1);
end $$;`
