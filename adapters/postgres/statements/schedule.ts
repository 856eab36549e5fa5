import { BEAT_ALIVE_MS, EDITIONS_KEPT } from '../../../src/beat/edition.js'
import { BEAT_KEPT_MS, DECISIONS_KEPT, REMOVED_KEPT_MS } from '../../../src/beat/schedule-store.js'

/** The rules of src/beat/entry-record.ts, each verb one function. */

/** An entry as the port's value, and its parts. */
export const entryRow = (s: string): string => `
create function ${s}.schedule_claim_v1(e ${s}.schedule_entry) returns json language sql stable as $$
  select case when e.claim_nominal is not null then json_build_object(
    'nominal', e.claim_nominal, 'term', e.term, 'by', e.claim_by, 'deadline', e.claim_deadline) end
$$;

create function ${s}.entry_row_v1(e ${s}.schedule_entry) returns json language sql stable as $$
  select json_build_object('name', e.name, 'spec', e.spec, 'config', e.config, 'state', e.state,
    'pausedAt', e.paused_at, 'pausedWhy', e.paused_why, 'resumedAt', e.resumed_at, 'askedAt', e.asked_at,
    'maxRuns', e.max_runs, 'runs', e.runs, 'counts', e.counts,
    'last', case when e.last_nominal is not null
      then json_build_object('nominal', e.last_nominal, 'decision', e.last_decision) end,
    'createdAt', e.created_at, 'changedAt', e.changed_at, 'revision', e.revision, 'nominal', e.nominal,
    'claim', ${s}.schedule_claim_v1(e))
$$;

create function ${s}.entry_moved_v1(e ${s}.schedule_entry, n bigint) returns json language sql stable as $$
  select json_build_object('outcome', 'moved', 'now', n, 'cursor',
    json_build_object('nominal', e.nominal, 'claim', ${s}.schedule_claim_v1(e)))
$$;

create function ${s}.entry_reserved_v1(e ${s}.schedule_entry, n bigint) returns json language sql stable as $$
  select json_build_object('outcome', 'reserved', 'now', n, 'nominal', e.nominal, 'claim', ${s}.schedule_claim_v1(e))
$$;

create function ${s}.entry_changed_v1(n bigint) returns json language sql stable as $$
  select json_build_object('outcome', 'changed', 'now', n)
$$;`

/** Whoever changes entries locks the app's row first. */
export const changeEntry = (s: string): string => `
-- The last of so many: one update of that row, however many entries change with it.
create function ${s}.next_revision_v1(p_app text, p_count integer) returns bigint language plpgsql as $$
declare
  r bigint;
begin
  insert into ${s}.schedule_app (app, revision) values (p_app, p_count)
    on conflict (app) do update set revision = ${s}.schedule_app.revision + p_count
    returning revision into r;
  return r;
end $$;

-- Under the lock of the app's row: from its answer to the end of the transaction no other comes into force.
create function ${s}.edition_in_force_v1(p_app text) returns text language sql as $$
  select editions[cardinality(editions)] from ${s}.schedule_app where app = p_app for update
$$;

create function ${s}.put_entry_v1(p_app text, p_how text, p jsonb, r bigint) returns text language plpgsql as $$
declare
  e ${s}.schedule_entry;
  n bigint;
  bound integer := (p->>'maxRuns')::integer;
  due bigint := (p->'over'->>'due')::bigint;
begin
  select * into e from ${s}.schedule_entry where app = p_app and name = p->>'name' for update;
  n := ${s}.clock_v1();
  if e.name is null or e.state = 'removed' then
    if p_how = 'change' then
      return 'missing';
    end if;
    delete from ${s}.schedule_entry where app = p_app and name = p->>'name';
    insert into ${s}.schedule_entry (app, name, spec, config, max_runs, created_at, changed_at, revision, nominal, term)
      values (p_app, p->>'name', p->>'spec', p->>'config', bound, n, n, r, n, coalesce(e.term, 0));
    return 'created';
  end if;
  if p_how = 'add' then
    return 'exists';
  end if;
  if p_how = 'merge' and e.config is not distinct from p->>'config' then
    return 'kept';
  end if;
  if e.revision is distinct from (p->'over'->>'revision')::bigint
      or e.nominal is distinct from (p->'over'->>'from')::bigint then
    return 'moved';
  end if;
  if e.state in ('active', 'finished') then
    e.state := case when e.runs >= bound then 'finished' else 'active' end;
  end if;
  if due is not null and (e.claim_nominal is not null or e.state <> 'active') then
    return 'moved';
  end if;
  perform ${s}.drop_slots_v1(e, p->'over'->'dropped', n);
  update ${s}.schedule_entry set spec = p->>'spec', max_runs = bound, revision = r, changed_at = n, resumed_at = null,
      config = case when p_how = 'change' then e.config else p->>'config' end, state = e.state,
      nominal = greatest(e.nominal, (p->'over'->>'at')::bigint)
    where app = p_app and name = e.name returning * into e;
  if due is not null then
    perform ${s}.claim_v1(e, due, '{"by": "", "claimMs": 0}', false, n);
  end if;
  return 'changed';
end $$;

create function ${s}.put_entries_v1(p_app text, p_how text, p_edition text, p_entries jsonb) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  c integer := jsonb_array_length(p_entries);
  r bigint;
  n bigint;
  made text[];
begin
  perform ${s}.require_read_committed_v1();
  if p_edition is distinct from (case when p_edition is not null then ${s}.edition_in_force_v1(p_app) end) then
    return (select coalesce(json_agg('superseded'::text), '[]') from generate_series(1, c));
  end if;
  r := ${s}.next_revision_v1(p_app, c) - c;
  n := ${s}.clock_v1();
  -- All that are new in one statement; a name that a removed entry left is not new.
  with inserted as (
    insert into ${s}.schedule_entry (app, name, spec, config, max_runs, created_at, changed_at, revision, nominal)
      select p_app, p->>'name', p->>'spec', p->>'config', (p->>'maxRuns')::integer, n, n, r + ord, n
        from jsonb_array_elements(p_entries) with ordinality as a (p, ord) where p_how <> 'change'
      on conflict do nothing returning name)
  select coalesce(array_agg(name), '{}') into made from inserted;
  return (select coalesce(json_agg(case when p->>'name' = any (made) then 'created'
      else ${s}.put_entry_v1(p_app, p_how, p, r + ord) end order by ord), '[]')
    from jsonb_array_elements(p_entries) with ordinality as a (p, ord));
end $$;

create function ${s}.alter_entry_v1(p_app text, p_name text, p_to text, p_argument text, p_edition text,
  p_over jsonb) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  e ${s}.schedule_entry;
  r bigint;
  n bigint;
begin
  perform ${s}.require_read_committed_v1();
  if p_edition is distinct from (case when p_edition is not null then ${s}.edition_in_force_v1(p_app) end) then
    return null;
  end if;
  r := ${s}.next_revision_v1(p_app, 1);
  select * into e from ${s}.schedule_entry where app = p_app and name = p_name for update;
  n := ${s}.clock_v1();
  if e.name is null or e.state = 'removed' or (p_to = 'removed' and p_argument is distinct from
      case when p_argument is null then null else e.config end) then
    return null;
  end if;
  if p_to = 'enabled' and e.state in ('disabled', 'finished') then
    e.state := case when e.runs >= e.max_runs then 'finished' else 'active' end;
    e.nominal := greatest(e.nominal, n);
  elsif p_to = 'disabled' and e.state <> 'disabled' and (p_over is null
      or (e.revision = (p_over->>'revision')::bigint and e.nominal = (p_over->>'from')::bigint)) then
    if p_over is not null then
      perform ${s}.drop_slots_v1(e, p_over->'dropped', n);
      e.nominal := greatest(e.nominal, (p_over->>'at')::bigint);
    end if;
    e.state := 'disabled';
    e.paused_at := null;
    e.paused_why := null;
    e.resumed_at := null;
  elsif p_to = 'paused' and e.state = 'active' then
    e.state := 'paused';
    e.paused_at := n;
    e.paused_why := p_argument;
  elsif p_to = 'resumed' and e.state = 'paused' then
    -- One that had its runs in the pause has no more slots.
    e.state := case when e.runs >= e.max_runs then 'finished' else 'active' end;
    e.paused_at := null;
    e.paused_why := null;
    e.resumed_at := case when p_argument = 'now' then n else e.resumed_at end;
  elsif p_to = 'asked' then
    e.asked_at := n;
  elsif p_to = 'removed' then
    return ${s}.remove_entry_v1(e, r, n);
  else
    return ${s}.entry_row_v1(e);
  end if;
  update ${s}.schedule_entry set state = e.state, nominal = e.nominal, paused_at = e.paused_at,
      paused_why = e.paused_why, resumed_at = e.resumed_at, asked_at = e.asked_at, revision = r, changed_at = n
    where app = p_app and name = p_name returning * into e;
  return ${s}.entry_row_v1(e);
end $$;

-- Its term stays, since its claimer may still come back, and its row for a day, so that beats hear of it.
create function ${s}.remove_entry_v1(e ${s}.schedule_entry, r bigint, n bigint) returns json language plpgsql as $$
begin
  delete from ${s}.schedule_decision where app = e.app and entry = e.name;
  delete from ${s}.schedule_entry where app = e.app and name = e.name;
  delete from ${s}.schedule_entry where app = e.app and state = 'removed' and changed_at < n - ${REMOVED_KEPT_MS};
  insert into ${s}.schedule_entry (app, name, spec, state, created_at, changed_at, revision, nominal, term)
    values (e.app, e.name, '', 'removed', e.created_at, n, r, e.nominal, e.term) returning * into e;
  return ${s}.entry_row_v1(e);
end $$;`

/**
 * The revision is read first: what is newer than it may be among the rows, nothing older is missing. Before its first
 * ANALYZE a large table is taken for a small one: each page would sort all rows that are left.
 */
export const changedEntries = (s: string): string => `
create function ${s}.entry_changes_v1(p_app text, p_after bigint, p_limit integer) returns json
language plpgsql set enable_bitmapscan = off set enable_sort = off as $$
declare
  r bigint;
begin
  select revision into r from ${s}.schedule_app where app = p_app;
  return json_build_object('revision', coalesce(r, 0), 'rows', (
    select coalesce(json_agg(${s}.entry_row_v1(e::${s}.schedule_entry) order by e.revision), '[]') from (
      select * from ${s}.schedule_entry where app = p_app and revision > p_after order by revision limit p_limit) e));
end $$;

create function ${s}.show_entry_v1(p_app text, p_name text) returns json language sql stable as $$
  select ${s}.entry_row_v1(e) from ${s}.schedule_entry e where app = p_app and name = p_name and state <> 'removed'
$$;`

/** Claims a slot by compare-and-set, and records the slots dropped before it, in one step. */
export const reserve = (s: string): string => `
create function ${s}.claim_v1(e ${s}.schedule_entry, p_nominal bigint, r jsonb, p_over boolean, n bigint) returns json
language plpgsql as $$
begin
  update ${s}.schedule_entry set nominal = e.nominal, resumed_at = e.resumed_at, asked_at = e.asked_at, term = term + 1,
      claim_nominal = p_nominal, claim_by = r->>'by', claim_deadline = n + (r->>'claimMs')::bigint, claim_over = p_over
    where app = e.app and name = e.name returning * into e;
  return ${s}.entry_reserved_v1(e, n);
end $$;

create function ${s}.drop_slots_v1(e ${s}.schedule_entry, p_dropped jsonb, n bigint) returns void language plpgsql as $$
declare
  d jsonb;
begin
  for d in select * from jsonb_array_elements(p_dropped) loop
    perform ${s}.write_decision_v1(e, jsonb_build_object('nominal', d->'latest', 'decision', d->'decision',
      'slots', d->'slots', 'term', 0), n);
  end loop;
end $$;

create function ${s}.reserve_v1(p_app text, r jsonb) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  e ${s}.schedule_entry;
  n bigint;
begin
  perform ${s}.require_read_committed_v1();
  select * into e from ${s}.schedule_entry where app = p_app and name = r->>'entry' for update;
  n := ${s}.clock_v1();
  if e.claim_nominal = (r->>'nominal')::bigint and e.claim_by = r->>'by' then
    return ${s}.entry_reserved_v1(e, n);
  end if;
  if r->>'kind' = 'asked' then
    if e.name is null or e.state = 'removed' then
      return ${s}.entry_changed_v1(n);
    end if;
    if e.claim_nominal is not null or e.asked_at is distinct from (r->>'nominal')::bigint then
      return ${s}.entry_moved_v1(e, n);
    end if;
    e.asked_at := null;
    return ${s}.claim_v1(e, (r->>'nominal')::bigint, r, false, n);
  end if;
  if e.name is null or e.revision <> (r->>'revision')::bigint or e.state <> 'active' then
    return ${s}.entry_changed_v1(n);
  end if;
  if e.nominal <> (r->>'from')::bigint or e.claim_nominal is not null then
    return ${s}.entry_moved_v1(e, n);
  end if;
  perform ${s}.drop_slots_v1(e, r->'dropped', n);
  e.nominal := (r->>'nominal')::bigint;
  e.resumed_at := null;
  return ${s}.claim_v1(e, e.nominal, r, false, n);
end $$;

create function ${s}.pass_v1(p_app text, r jsonb) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  e ${s}.schedule_entry;
  n bigint;
begin
  perform ${s}.require_read_committed_v1();
  select * into e from ${s}.schedule_entry where app = p_app and name = r->>'entry' for update;
  n := ${s}.clock_v1();
  if e.name is null or e.revision <> (r->>'revision')::bigint or e.state <> 'active' then
    return ${s}.entry_changed_v1(n);
  end if;
  if e.nominal = (r->>'from')::bigint and e.claim_nominal is null then
    perform ${s}.drop_slots_v1(e, r->'dropped', n);
    update ${s}.schedule_entry set nominal = (r->>'to')::bigint, resumed_at = null
      where app = p_app and name = e.name returning * into e;
  end if;
  return ${s}.entry_moved_v1(e, n);
end $$;

-- Takes over a claim whose deadline has passed: same slot, next term. Its taker, asking again, hears the same.
create function ${s}.take_over_v1(p_app text, r jsonb) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  e ${s}.schedule_entry;
  n bigint;
begin
  perform ${s}.require_read_committed_v1();
  select * into e from ${s}.schedule_entry where app = p_app and name = r->>'entry' for update;
  n := ${s}.clock_v1();
  if e.name is null then
    return ${s}.entry_changed_v1(n);
  end if;
  if e.claim_over and e.term = (r->>'term')::integer + 1 and e.claim_by = r->>'by' then
    return ${s}.entry_reserved_v1(e, n);
  end if;
  if e.claim_nominal is null or e.term <> (r->>'term')::integer or e.claim_deadline > n then
    return ${s}.entry_moved_v1(e, n);
  end if;
  return ${s}.claim_v1(e, e.claim_nominal, r, true, n);
end $$;`

/** Writes the one decision of a slot, first writer wins, and closes its claim if the term is still the present one. */
export const decide = (s: string): string => `
create function ${s}.decide_v1(p_app text, r jsonb) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  e ${s}.schedule_entry;
  d ${s}.schedule_decision;
  n bigint;
begin
  perform ${s}.require_read_committed_v1();
  select * into e from ${s}.schedule_entry where app = p_app and name = r->>'entry' for update;
  n := ${s}.clock_v1();
  if e.name is null or e.state = 'removed' then
    return r || jsonb_build_object('at', n);
  end if;
  -- Its claim is over: it has been decided, maybe longer ago than the history goes back.
  if e.claim_nominal is distinct from (r->>'nominal')::bigint then
    return coalesce((select ${s}.decision_v1(x) from ${s}.schedule_decision x where x.app = p_app
      and x.entry = e.name and x.nominal = (r->>'nominal')::bigint), (r || jsonb_build_object('at', n))::json);
  end if;
  d := ${s}.write_decision_v1(e, r, n);
  if e.term = (r->>'term')::integer then
    update ${s}.schedule_entry set claim_nominal = null, claim_by = null, claim_deadline = null, claim_over = false
      where app = p_app and name = e.name;
  end if;
  return ${s}.decision_v1(d);
end $$;

create function ${s}.decision_v1(d ${s}.schedule_decision) returns json language sql stable as $$
  select json_build_object('entry', d.entry, 'nominal', d.nominal, 'decision', d.decision, 'holder', d.holder,
    'slots', d.slots, 'term', d.term, 'at', d.decided_at)
$$;

-- Called under the entry's lock, which also guards the counts.
create function ${s}.write_decision_v1(e ${s}.schedule_entry, r jsonb, n bigint) returns ${s}.schedule_decision
language plpgsql as $$
declare
  d ${s}.schedule_decision;
  accepted integer := (r->>'decision' in ('published', 'deferred', 'queued', 'replaced'))::integer;
  kept integer;
begin
  insert into ${s}.schedule_decision (app, entry, nominal, decision, holder, slots, term, decided_at)
    values (e.app, e.name, (r->>'nominal')::bigint, r->>'decision', r->>'holder', (r->>'slots')::integer,
      (r->>'term')::integer, n)
    on conflict do nothing
    returning * into d;
  if not found then
    select * into d from ${s}.schedule_decision
      where app = e.app and entry = e.name and nominal = (r->>'nominal')::bigint;
    return d;
  end if;
  update ${s}.schedule_entry x set runs = x.runs + accepted, decisions = x.decisions + 1,
      last_nominal = d.nominal, last_decision = d.decision,
      counts = x.counts || jsonb_build_object(d.decision, coalesce((x.counts->>d.decision)::bigint, 0) + d.slots),
      state = case when x.state = 'active' and x.runs + accepted >= x.max_runs then 'finished' else x.state end
    where x.app = e.app and x.name = e.name returning x.decisions into kept;
  if kept > ${DECISIONS_KEPT * 1.25} then
    delete from ${s}.schedule_decision where app = e.app and entry = e.name and nominal <= (
      select nominal from ${s}.schedule_decision where app = e.app and entry = e.name
        order by nominal desc offset ${DECISIONS_KEPT} limit 1);
    update ${s}.schedule_entry set decisions = ${DECISIONS_KEPT} where app = e.app and name = e.name;
  end if;
  return d;
end $$;`

/** The beats that live, which of them leads, and whose configuration is in force. */
export const attend = (s: string): string => `
-- The rule of src/beat/edition.ts.
create function ${s}.adopt_v1(p_app text, p_beat text, p_report text, p_edition text, p_superseded boolean) returns text
language plpgsql set lock_timeout = '2s' as $$
declare
  n bigint;
  have text[];
  present text;
begin
  perform ${s}.require_read_committed_v1();
  insert into ${s}.schedule_app (app) values (p_app) on conflict (app) do update set app = excluded.app
    returning editions into have;
  n := ${s}.clock_v1();
  present := have[cardinality(have)];
  insert into ${s}.schedule_beat (app, beat, report, seen_at) values (p_app, p_beat, p_report, n)
    on conflict (app, beat) do update set report = excluded.report, seen_at = excluded.seen_at;
  if present = p_edition or ((p_superseded or p_edition = any (have)) and exists (
      select from ${s}.schedule_beat where app = p_app and report::jsonb->>'edition' = present
        and seen_at >= n - ${BEAT_ALIVE_MS})) then
    return present;
  end if;
  have := array_append(array_remove(have, p_edition), p_edition);
  update ${s}.schedule_app set editions = have[greatest(1, cardinality(have) - ${EDITIONS_KEPT - 1}):] where app = p_app;
  return p_edition;
end $$;

create function ${s}.attend_v1(p_app text, p_beat text, p_lead_ms bigint, p_report text) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  n bigint := ${s}.clock_v1();
  l ${s}.schedule_lead;
  a ${s}.schedule_app;
begin
  perform ${s}.require_read_committed_v1();
  if p_report is not null then
    insert into ${s}.schedule_beat (app, beat, report, seen_at) values (p_app, p_beat, p_report, n)
      on conflict (app, beat) do update set report = excluded.report, seen_at = excluded.seen_at;
    delete from ${s}.schedule_beat where app = p_app and seen_at < n - ${BEAT_KEPT_MS};
  end if;
  if p_lead_ms is null then
    delete from ${s}.schedule_lead where app = p_app and leader = p_beat;
  else
    insert into ${s}.schedule_lead as have (app, leader, until_at) values (p_app, p_beat, n + p_lead_ms)
      on conflict (app) do update set leader = excluded.leader, until_at = excluded.until_at
        where have.until_at <= n or have.leader = p_beat;
  end if;
  select * into l from ${s}.schedule_lead where app = p_app;
  select * into a from ${s}.schedule_app where app = p_app;
  return json_build_object('now', n, 'leader', l.leader, 'revision', coalesce(a.revision, 0),
    'edition', a.editions[cardinality(a.editions)], 'origin', concat_ws(' ', a.born, pg_postmaster_start_time()));
end $$;

create function ${s}.beats_v1(p_app text) returns json language sql stable as $$
  select coalesce(json_agg(b.report::jsonb || jsonb_build_object('by', b.beat, 'seenAt', b.seen_at, 'leader', exists (
      select from ${s}.schedule_lead l where l.app = p_app and l.leader = b.beat and l.until_at > ${s}.clock_v1()))), '[]')
    from ${s}.schedule_beat b where b.app = p_app and b.seen_at >= ${s}.clock_v1() - ${BEAT_KEPT_MS}
$$;`

/** $1 app, $2 beat. */
export const leave = (s: string): string => `
with lead as (delete from ${s}.schedule_lead where app = $1 and leader = $2)
delete from ${s}.schedule_beat where app = $1 and beat = $2`

/** The newest first: $1 app, $2 entry, $3 limit. */
export const history = (s: string): string => `
select ${s}.decision_v1(d) as decision from ${s}.schedule_decision d
  where d.app = $1 and d.entry = $2 order by d.nominal desc limit $3`

export const destroySchedule = (s: string): string => `
with decisions as (delete from ${s}.schedule_decision where app = $1),
  lead as (delete from ${s}.schedule_lead where app = $1),
  beats as (delete from ${s}.schedule_beat where app = $1),
  revisions as (delete from ${s}.schedule_app where app = $1)
delete from ${s}.schedule_entry where app = $1`

/**
 * The same for many entries, in one transaction and one round trip. It waits for nobody: null for an entry that somebody
 * else has locked, or that is not there.
 */
export const together = (s: string): string =>
  ['reserve', 'decide']
    .map(
      (verb) => `
create function ${s}.${verb}_all_v1(p_app text, p_requests jsonb) returns json language plpgsql as $$
declare
  r jsonb;
  answers json[] := '{}';
begin
  for r in select value from jsonb_array_elements(p_requests) with ordinality order by ordinality loop
    perform from ${s}.schedule_entry where app = p_app and name = r->>'entry' for update skip locked;
    answers := array_append(answers, case when found then ${s}.${verb}_v1(p_app, r) end);
  end loop;
  return array_to_json(answers);
end $$;`,
    )
    .join('')
