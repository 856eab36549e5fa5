/**
 * The first statement of a fenced transaction. Until that ends, the row lock keeps whoever would grant the place of this
 * token to somebody else waiting; renewals, cancels and the grants of other places pass. Raises BL002 where the token is
 * not current; false: the locks are not on this server. For roles that know nothing of our tables: it runs as their owner.
 */
export const fence = (s: string): string => `
create function ${s}.fence_v1(p_space uuid, p_app text, p_key text, p_token bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  c ${s}.lock_call;
  left_ms bigint;
begin
  if not exists (select from ${s}.schema_version where space = p_space) then return false; end if;
  select * into c from ${s}.lock_call
    where app = p_app and key = p_key and token = p_token and stage = 'running' for key share;
  -- Read after the lock, which may have been waited for.
  left_ms := c.expires_at - ${s}.clock_v1();
  if c.key is null or left_ms <= 0 then
    raise exception 'token % of lock % is not current', p_token, p_key using errcode = 'BL002';
  end if;
  perform ${s}.bound_v1('statement_timeout', left_ms), ${s}.bound_v1('idle_in_transaction_session_timeout', left_ms);
  return true;
end $$;

-- For the rest of the transaction; a shorter bound stays.
create function ${s}.bound_v1(p_setting text, p_ms bigint) returns void language plpgsql as $$
declare
  present numeric := extract(epoch from current_setting(p_setting)::interval) * 1000;
begin
  if present = 0 or present > p_ms then perform set_config(p_setting, p_ms::text, true); end if;
end $$;`
