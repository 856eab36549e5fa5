/** One holder's row for operators. */
const row = (s: string): string => `json_build_object('app', c.app, 'key', c.key, 'task', c.task, 'label', c.label,
    'stage', nullif(c.stage, 'parked'), 'holder', case when c.stage <> 'parked' then c.message_id end,
    'round', case when c.stage <> 'parked' then c.round end,
    'token', case when c.stage = 'running' then c.token end, 'worker', c.worker,
    'queue', c.queue, 'barrier', c.barrier,
    'barrierHeld', c.stage = 'running' and c.barrier = 'session'
      and ${s}.barrier_id_v1(c.app, c.key, coalesce(c.slot, 0)) = any(n.seats),
    'acquiredAt', case when c.stage <> 'parked' then c.acquired_at end,
    'expiresAt', case when c.stage <> 'parked' then c.expires_at end,
    'cancelledBy', c.cancelled_by, 'cancelledHow', c.cancelled_how, 'parked', p.parked, 'limit', c.holder_limit, 'now', n.now)`

/** The barriers that our sessions sit on, looked up once for all rows. */
const seats = `array(select (l.classid::bigint << 32) | l.objid::bigint
    from pg_locks l join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and l.database = (select oid from pg_database where datname = current_database())
      and a.application_name like 'beatlock:%')`

/** A row a holder; the first parked call stands in where only parked calls remain. */
const rows = (s: string): string => `${s}.lock_call c
    cross join (select ${s}.clock_v1() as now, ${seats} as seats offset 0) n
    cross join lateral (select count(*) as parked from ${s}.lock_call w
      where w.app = c.app and w.key = c.key and w.stage = 'parked') p`

const standsIn = (s: string): string => `not exists (select from ${s}.lock_call h
    where h.app = c.app and h.key = c.key and (h.stage <> 'parked' or h.place < c.place))`

const page = (s: string, scope: string): string => `
  return query select ${row(s)}, c.place from ${rows(s)}
    where ${scope} and (c.app, c.key, c.place) > (p_app, p_key, p_place) and c.guarded
      and (p_task is null or c.task = p_task)
      and case when c.stage <> 'parked'
        then (p_stage is null or c.stage = p_stage) and (p_older_ms is null or c.acquired_at <= n.now - p_older_ms)
        else p_stage is null and p_older_ms is null and ${standsIn(s)} end
    order by c.app, c.key, c.place limit p_limit;`

/**
 * One page of holders in the order of app, key, place, after a given one; reads only, locks nothing. The planner is told
 * to follow the index, and to look at the values of each page: it would else read or sort all there is for every page.
 */
export const list = (s: string): string => `
create function ${s}.list_v1(p_all boolean, p_app text, p_key text, p_place bigint, p_task text, p_stage text,
  p_older_ms bigint, p_limit integer)
returns table (listed json, at_place bigint) language plpgsql stable
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_custom_plan as $$
begin
  if p_all then ${page(s, 'true')}
  else ${page(s, 'c.app = p_app')}
  end if;
end $$;`

/** All about one key: $1 app, $2 key. */
export const show = (s: string): string => `
select ${s}.clock_v1() as now,
  (select coalesce(json_agg(${row(s)} order by c.place), '[]') from ${rows(s)}
    where c.app = $1 and c.key = $2 and (c.stage <> 'parked' or ${standsIn(s)})) as rows,
  (select coalesce(json_agg(json_build_object('id', c.message_id, 'since', c.since, 'expiresAt', c.worthless_at)
      order by c.place), '[]')
    from ${s}.lock_call c where c.app = $1 and c.key = $2 and c.stage = 'parked') as parked,
  (select coalesce(json_agg(${s}.outcome_v1(o) order by o.ended_at desc, o.message_id), '[]') from (
      select * from ${s}.lock_outcome where app = $1 and key = $2 order by ended_at desc, message_id limit 20) o
  ) as outcomes,
  (select coalesce(json_agg(${s}.event_v1(e) order by e.place desc), '[]')
    from ${s}.lock_event e where e.app = $1 and e.key = $2) as history`
