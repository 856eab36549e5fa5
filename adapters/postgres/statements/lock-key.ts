/** The server's clock in epoch ms; never `now()`, which stands still from the start of the transaction. */
export const clock = (s: string): string => `
create function ${s}.clock_v1() returns bigint language sql volatile as $$
  select floor(extract(epoch from clock_timestamp()) * 1000)::bigint
$$;`

/**
 * What every transition does first: locks the key's row, then reads the clock. All else comes in later statements, whose
 * snapshots see what the previous owner of the row lock committed. A snapshot taken before the lock would not, and would
 * lose a call parked meanwhile: hence the check of the isolation level.
 */
export const lockKey = (s: string): string => `
create function ${s}.require_read_committed_v1() returns void language plpgsql as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'beatlock needs READ COMMITTED, this transaction is %', current_setting('transaction_isolation')
      using errcode = 'BL001';
  end if;
end $$;

create function ${s}.lock_key_v1(p_app text, p_key text) returns bigint language plpgsql as $$
begin
  perform ${s}.require_read_committed_v1();
  insert into ${s}.lock_key (app, key) values (p_app, p_key)
    on conflict (app, key) do update set used_on = excluded.used_on;
  return ${s}.clock_v1();
end $$;`

/**
 * The advisory lock of one seat: 64 bits of SHA-256, the same for store and barrier. Two seats that share them by chance
 * only keep each other out.
 */
export const barrierId = (s: string): string => `
create function ${s}.barrier_id_v1(p_app text, p_key text, p_slot integer) returns bigint language sql immutable as $$
  select ('x' || encode(substring(sha256(convert_to(
    json_build_array('beatlock', '${s.replaceAll("'", "''")}', p_app, p_key, p_slot)::text, 'UTF8')) from 1 for 8), 'hex'))::bit(64)::bigint
$$;

-- Whether a session barrier still keeps everyone out. Must not run on the session that holds it: it would pass.
create function ${s}.barrier_held_v1(c ${s}.lock_call) returns boolean language plpgsql as $$
begin
  return c.barrier = 'session' and not pg_try_advisory_xact_lock(${s}.barrier_id_v1(c.app, c.key, coalesce(c.slot, 0)));
end $$;`
