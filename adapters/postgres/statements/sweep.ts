import { HISTORY_MS } from '../../../src/lock/record.js'

/** How long a doubt that was handed out stays with whoever took it. */
const DOUBT_MS = 1_000

/**
 * Settles the keys on which something is due or left over, at most `p_limit` of them, and hands out promotions and doubts. Keys that
 * somebody else has locked are skipped: the next sweep sees them. Then forgets, bounded, what is over.
 */
export const sweep = (s: string): string => `
create function ${s}.sweep_v1(p_app text, p_limit integer, p_lease_ms bigint, p_result_ms bigint) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  n bigint := ${s}.clock_v1();
  k text;
  promotion json;
  promotions json[] := '{}';
  doubts json[] := '{}';
  until bigint := ${s}.recover_until_v1(p_app, 0, n);
begin
  perform ${s}.require_read_committed_v1();
  for k in
    select l.key from ${s}.lock_key l where l.app = p_app and l.key in (
        (select c.key from ${s}.lock_call c where c.app = p_app and c.stage <> 'parked' and c.due_at > 0 and c.due_at <= n
          order by c.due_at limit p_limit)
        union all (select u.key from ${s}.lock_key u where u.app = p_app and u.unsettled limit p_limit))
      order by l.key for no key update skip locked
  loop
    n := ${s}.clock_v1();
    perform ${s}.outlive_v1(p_app, k, until, n);
    perform ${s}.settle_v1(p_app, k, n, p_result_ms);
    update ${s}.lock_key set unsettled = false where app = p_app and key = k and unsettled;
    loop
      promotion := ${s}.next_promotion_v1(p_app, k, n, p_lease_ms);
      exit when promotion is null;
      promotions := promotions || promotion;
    end loop;
    doubts := doubts || ${s}.take_doubts_v1(p_app, k, n);
  end loop;
  perform ${s}.prune_v1(p_app, n);
  n := ${s}.clock_v1();
  if until <= n then return json_build_object('promotions', promotions, 'doubts', doubts, 'now', n); end if;
  return json_build_object('promotions', promotions, 'doubts', doubts, 'recoveringMs', until - n, 'now', n);
end $$;

create function ${s}.take_doubts_v1(p_app text, p_key text, n bigint) returns json[] language sql volatile as $$
  with due as (
    update ${s}.lock_call c set due_at = n + ${DOUBT_MS}
      where c.app = p_app and c.key = p_key and c.stage <> 'parked' and c.due_at <= n and ${s}.doubt_v1(c, n) is not null
      returning ${s}.doubt_v1(c, n) as doubt, c.place
  )
  select coalesce(array_agg(doubt order by place), '{}') from due
$$;`

/**
 * Outcomes, events, workers, commands and shared values when their time is over; keys after 7 idle days, since their last
 * token must outlive them. The key of a call without a lock has no next token to protect and goes with its outcome.
 */
export const prune = (s: string): string => `
create function ${s}.prune_v1(p_app text, n bigint) returns void language plpgsql as $$
declare
  private text[];
  private_too text[];
begin
  with due as (
    select o.ctid from ${s}.lock_outcome o where o.app = p_app and o.keep_until > 0
        and greatest(o.keep_until, o.result_until) <= n
      order by greatest(o.keep_until, o.result_until) limit 1000 for update skip locked
  ), gone as (
    delete from ${s}.lock_outcome o where o.ctid = any (array(select ctid from due)) returning o.key
  )
  select array_agg(key) into private from gone where key ~ ':~[^:]*$';
  with gone as (
    delete from ${s}.lock_event e where e.ctid = any (array(
      select ctid from ${s}.lock_event where app = p_app and at > 0 and at <= n - ${HISTORY_MS} order by at limit 1000
        for update skip locked))
      returning e.key
  )
  select array_agg(key) into private_too from gone where key ~ ':~[^:]*$';

  delete from ${s}.lock_key l where l.ctid = any (array(
    select k.ctid from ${s}.lock_key k
      where k.app = p_app and k.key = any (private || private_too) and ${s}.is_idle_v1(k) for update skip locked));
  delete from ${s}.lock_key l where l.ctid = any (array(
    select k.ctid from ${s}.lock_key k
      where k.app = p_app and k.used_on > '2000-01-01' and k.used_on < current_date - 7 and ${s}.is_idle_v1(k)
      order by k.used_on limit 200 for update skip locked));
  delete from ${s}.worker where app = p_app and seen_at < n - 86400000;
  delete from ${s}.listener where app = p_app and until <= n;
  delete from ${s}.shared_value v where v.ctid = any (array(
    select ctid from ${s}.shared_value where app = p_app and expires_at <= n order by expires_at limit 1000
      for update skip locked));
  delete from ${s}.command where app = p_app and ends_at <= n;
end $$;

create function ${s}.is_idle_v1(k ${s}.lock_key) returns boolean language sql stable as $$
  select not exists (select from ${s}.lock_call c where c.app = k.app and c.key = k.key)
     and not exists (select from ${s}.lock_outcome o where o.app = k.app and o.key = k.key)
     and not exists (select from ${s}.lock_event e where e.app = k.app and e.key = k.key)
$$;`
