/**
 * Makes room for a newcomer that replaces: a holder that does not run yet ends at once, else the run with the lowest
 * token is told to stop. Nobody more is disturbed while an earlier cancelled run still has to end. Answers whom it ended.
 */
export const displace = (s: string): string => `
create function ${s}.displace_v1(p_app text, p_key text, p_set text, r jsonb, p_min_run_ms bigint, n bigint)
returns text language plpgsql as $$
declare
  c ${s}.lock_call;
begin
  if exists (select from ${s}.rivals_v1(p_app, p_key, p_set) where cancelled_how is not null) then return null; end if;
  select * into c from ${s}.rivals_v1(p_app, p_key, p_set)
    where stage <> 'cooling' order by stage = 'running', case when stage = 'running' then token end, place limit 1;
  if c.stage = 'running' then
    if c.since + p_min_run_ms <= n then perform ${s}.cancel_v1(c, 'replaced', r->>'messageId'); end if;
    return null;
  end if;
  if c.key is not null then perform ${s}.end_replaced_v1(c, r, n); end if;
  return c.message_id;
end $$;

create function ${s}.end_replaced_v1(c ${s}.lock_call, r jsonb, n bigint) returns void language plpgsql as $$
begin
  perform ${s}.end_call_v1(c);
  perform ${s}.record_outcome_v1(c.app, c.key, c.message_id, c.round, 'replaced', null, null, 'REPLACED', null,
    r->>'messageId', n, (r->>'resultMs')::bigint);
end $$;`
