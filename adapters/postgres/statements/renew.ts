import { OUTCOME_ACKED_MS } from '../../../src/lock/record.js'

/**
 * Prolongs running leases, notes acknowledged messages and the worker's sign of life, all in one statement. Keys that
 * somebody else has locked are skipped and answered `busy`: the caller asks again for each alone, with `p_wait`, so that
 * no lease of the batch waits behind another key.
 */
export const renew = (s: string): string => `
create function ${s}.renew_v1(p_app text, p_leases jsonb, p_acked jsonb, p_worker text, p_row text, p_wait boolean)
returns json language plpgsql set lock_timeout = '2s' as $$
declare
  n bigint;
  -- An object, since a look into an array of a thousand keys, for each of them, costs more than the renewal.
  locked jsonb;
  renewed json;
  until bigint;
  first_seen boolean;
begin
  perform ${s}.require_read_committed_v1();
  locked := (select coalesce(jsonb_object_agg(k, true), '{}') from unnest(
    ${s}.lock_keys_v1(p_app, array(select l->>'key' from jsonb_array_elements(p_leases) l), p_wait)) k);
  n := ${s}.clock_v1();
  until := ${s}.recover_until_v1(p_app, (select max((l->>'leaseMs')::bigint
    + coalesce((l->'claim'->>'lockDelayMs')::bigint, 0)) from jsonb_array_elements(p_leases) l), n);
  if until > n then
    perform ${s}.outlive_v1(p_app, k, until, n) from jsonb_object_keys(locked) k;
  end if;

  with asked as (
    select l.*, h.place, h.token as held, h.cancelled_how, h.expires_at from ${s}.leases_v1(p_leases) l
      left join lateral (select * from ${s}.lock_call c
        where c.app = p_app and c.key = l.key and c.message_id = l.message_id and c.stage = 'running'
        order by c.place limit 1) h on true
  ), prolonged as (
    update ${s}.lock_call c set lease_ms = a.lease_ms, expires_at = n + a.lease_ms,
        due_at = n + a.lease_ms + c.lock_delay_ms
      from asked a
      where c.app = p_app and c.key = a.key and c.place = a.place and locked ? a.key
        and a.held = a.token and a.cancelled_how is null and a.expires_at > n
      returning a.ord
  )
  select coalesce(json_agg(case
      when p.ord is not null then json_build_object('outcome', 'renewed', 'expiresAt', n + a.lease_ms)
      when not locked ? a.key and exists (select from ${s}.lock_key k where k.app = p_app and k.key = a.key)
        then json_build_object('outcome', 'busy')
      when a.held > a.token then json_build_object('outcome', 'lost', 'reason', 'taken')
      when a.held = a.token and a.cancelled_how is not null
        then json_build_object('outcome', 'lost', 'reason', 'cancelled')
      else json_build_object('outcome', 'lost', 'reason', 'ended')
    end order by a.ord), '[]') into renewed
    from asked a
    left join prolonged p using (ord);

  -- What nothing is known of after a loss of data, its holder tells.
  if until > n then
    renewed := (select json_agg(case
        when answer->>'reason' = 'ended' and l->'claim' is not null then
          case when held.token >= (l->>'token')::bigint then answer else ${s}.reclaim_v1(p_app, l, n) end
        else answer end order by ord)
      from jsonb_array_elements(p_leases) with ordinality as a (l, ord)
        join json_array_elements(renewed) with ordinality as b (answer, ord) using (ord)
        left join lateral (select token from ${s}.lock_call c where c.app = p_app and c.key = l->>'key'
          and c.message_id = l->>'messageId' and c.stage = 'running' order by c.place limit 1) held on true);
  end if;
  perform ${s}.acknowledge_v1(p_app, p_acked, n);
  if p_worker is not null then
    insert into ${s}.worker (app, name, row, seen_at) values (p_app, p_worker, p_row, n)
      on conflict (app, name) do update set row = excluded.row, seen_at = excluded.seen_at
      returning xmax = 0 into first_seen;
    if first_seen then perform ${s}.notify_v1(p_app, 'workers'); end if;
  end if;
  return json_build_object('leases', renewed, 'now', n);
end $$;

create function ${s}.leases_v1(p_leases jsonb)
returns table (ord bigint, key text, message_id text, token bigint, lease_ms bigint) language sql stable as $$
  select l.ord, l.value->>'key', l.value->>'messageId', (l.value->>'token')::bigint, (l.value->>'leaseMs')::bigint
    from jsonb_array_elements(p_leases) with ordinality as l (value, ord)
$$;

create function ${s}.lock_keys_v1(p_app text, p_keys text[], p_wait boolean) returns text[] language plpgsql as $$
begin
  if p_wait then
    -- Short, since the whole batch waits for its answer; undone at the end of renew_v1, which sets its own.
    perform set_config('lock_timeout', '500ms', true);
    return array(select k.key from ${s}.lock_key k where k.app = p_app and k.key = any (p_keys)
      order by k.key for no key update);
  end if;
  return array(select k.key from ${s}.lock_key k where k.app = p_app and k.key = any (p_keys)
    order by k.key for no key update skip locked);
end $$;

-- The engine will not deliver these again: their outcomes stay for repeats under way, their results for readers.
create function ${s}.acknowledge_v1(p_app text, p_acked jsonb, n bigint) returns void language sql volatile as $$
  update ${s}.lock_outcome o
    set keep_until = least(o.keep_until, greatest(n + ${OUTCOME_ACKED_MS}, o.result_until))
    from jsonb_to_recordset(p_acked) as a (key text, "messageId" text, round integer)
    where o.app = p_app and o.key = a.key and o.message_id = a."messageId" and o.round = a.round
$$;`
