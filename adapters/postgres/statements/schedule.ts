/** A cursor as the port's value. */
export const cursor = (s: string): string => `
create function ${s}.cursor_v1(c ${s}.schedule_cursor) returns json language sql stable as $$
  select json_build_object('entry', c.entry, 'nominal', c.nominal, 'claim', case when c.claim_nominal is not null then
    json_build_object('nominal', c.claim_nominal, 'term', c.term, 'by', c.claim_by, 'deadline', c.claim_deadline) end)
$$;

-- Locks an entry's cursor, made at the store's now where it is missing.
create function ${s}.lock_cursor_v1(p_app text, p_entry text) returns ${s}.schedule_cursor language plpgsql as $$
declare
  c ${s}.schedule_cursor;
begin
  perform ${s}.require_read_committed_v1();
  insert into ${s}.schedule_cursor (app, entry, nominal) values (p_app, p_entry, ${s}.clock_v1())
    on conflict (app, entry) do update set v = excluded.v
    returning * into c;
  return c;
end $$;

create function ${s}.claim_v1(c ${s}.schedule_cursor, p_nominal bigint, p_by text, p_claim_ms bigint, n bigint)
returns json language plpgsql as $$
begin
  update ${s}.schedule_cursor
    set nominal = p_nominal, term = term + 1, claim_nominal = p_nominal, claim_by = p_by, claim_deadline = n + p_claim_ms
    where app = c.app and entry = c.entry returning * into c;
  return json_build_object('outcome', 'reserved', 'claim', ${s}.cursor_v1(c)->'claim', 'now', n);
end $$;`

/** Missing cursors are made, all are answered in the order asked; entries are created in name order. */
export const load = (s: string): string => `
create function ${s}.load_v1(p_app text, p_entries text[]) returns json
language plpgsql set lock_timeout = '2s' as $$
begin
  insert into ${s}.schedule_cursor (app, entry, nominal)
    select distinct on (e) p_app, e, ${s}.clock_v1() from unnest(p_entries) e
      where not exists (select from ${s}.schedule_cursor k where k.app = p_app and k.entry = e) order by e
    on conflict do nothing;
  return (select coalesce(json_agg(${s}.cursor_v1(c) order by a.ord), '[]')
    from unnest(p_entries) with ordinality as a (entry, ord)
    join ${s}.schedule_cursor c on c.app = p_app and c.entry = a.entry);
end $$;`

/** Claims a slot by compare-and-set, and records the slots dropped before it, in one step. */
export const reserve = (s: string): string => `
create function ${s}.reserve_v1(p_app text, p_entry text, r jsonb) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  c ${s}.schedule_cursor := ${s}.lock_cursor_v1(p_app, p_entry);
  n bigint := ${s}.clock_v1();
begin
  if c.claim_nominal = (r->>'nominal')::bigint and c.claim_by = r->>'by' and c.claim_deadline > n then
    return json_build_object('outcome', 'reserved', 'claim', ${s}.cursor_v1(c)->'claim', 'now', n);
  end if;
  if c.nominal <> (r->>'from')::bigint or c.claim_nominal is not null then
    return json_build_object('outcome', 'moved', 'cursor', ${s}.cursor_v1(c), 'now', n);
  end if;
  if jsonb_typeof(r->'missed') = 'object' then
    perform ${s}.write_decision_v1(p_app, p_entry, jsonb_build_object('nominal', r->'missed'->'latest',
      'decision', 'missed', 'slots', r->'missed'->'slots'), n);
  end if;
  return ${s}.claim_v1(c, (r->>'nominal')::bigint, r->>'by', (r->>'claimMs')::bigint, n);
end $$;

-- Takes over a claim whose deadline has passed: same slot, next term.
create function ${s}.take_over_v1(p_app text, p_entry text, r jsonb) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  c ${s}.schedule_cursor := ${s}.lock_cursor_v1(p_app, p_entry);
  n bigint := ${s}.clock_v1();
begin
  if c.claim_nominal is null or c.term <> (r->>'term')::integer or c.claim_deadline > n then
    return json_build_object('outcome', 'moved', 'cursor', ${s}.cursor_v1(c), 'now', n);
  end if;
  return ${s}.claim_v1(c, c.claim_nominal, r->>'by', (r->>'claimMs')::bigint, n);
end $$;`

/** Decisions kept an entry; cut back to this each time they grew by a tenth. */
const KEPT = 1_000

/** Writes the one decision of a slot, first writer wins, and closes its claim if the term is still the present one. */
export const decide = (s: string): string => `
create function ${s}.decide_v1(p_app text, p_entry text, r jsonb, p_term integer) returns json
language plpgsql set lock_timeout = '2s' as $$
declare
  c ${s}.schedule_cursor := ${s}.lock_cursor_v1(p_app, p_entry);
  d ${s}.schedule_decision := ${s}.write_decision_v1(p_app, p_entry, r, ${s}.clock_v1());
begin
  if c.term = p_term and c.claim_nominal = d.nominal then
    update ${s}.schedule_cursor set claim_nominal = null, claim_by = null, claim_deadline = null
      where app = p_app and entry = p_entry;
  end if;
  return ${s}.decision_v1(d);
end $$;

create function ${s}.decision_v1(d ${s}.schedule_decision) returns json language sql stable as $$
  select json_build_object('entry', d.entry, 'nominal', d.nominal, 'decision', d.decision, 'messageId', d.message_id,
    'holder', d.holder, 'slots', d.slots, 'at', d.decided_at)
$$;

-- Called under the cursor's lock, which also guards the count.
create function ${s}.write_decision_v1(p_app text, p_entry text, r jsonb, n bigint) returns ${s}.schedule_decision
language plpgsql as $$
declare
  d ${s}.schedule_decision;
begin
  insert into ${s}.schedule_decision (app, entry, nominal, decision, message_id, holder, slots, decided_at)
    values (p_app, p_entry, (r->>'nominal')::bigint, r->>'decision', r->>'messageId', r->>'holder',
      (r->>'slots')::integer, n)
    on conflict do nothing
    returning * into d;
  if not found then
    select * into d from ${s}.schedule_decision
      where app = p_app and entry = p_entry and nominal = (r->>'nominal')::bigint;
    return d;
  end if;
  perform ${s}.trim_decisions_v1(p_app, p_entry);
  return d;
end $$;

create function ${s}.trim_decisions_v1(p_app text, p_entry text) returns void language plpgsql as $$
begin
  update ${s}.schedule_cursor set decisions = decisions + 1 where app = p_app and entry = p_entry;
  if (select decisions from ${s}.schedule_cursor where app = p_app and entry = p_entry) < ${KEPT * 1.1} then
    return;
  end if;
  delete from ${s}.schedule_decision where app = p_app and entry = p_entry and nominal <= (
    select nominal from ${s}.schedule_decision where app = p_app and entry = p_entry
      order by nominal desc offset ${KEPT} limit 1);
  update ${s}.schedule_cursor set decisions = ${KEPT} where app = p_app and entry = p_entry;
end $$;`

/** The newest first: $1 app, $2 entry, $3 limit. */
export const history = (s: string): string => `
select ${s}.decision_v1(d) as decision from ${s}.schedule_decision d
  where d.app = $1 and d.entry = $2 order by d.nominal desc limit $3`

export const destroySchedule = (s: string): string => `
with decisions as (delete from ${s}.schedule_decision where app = $1)
delete from ${s}.schedule_cursor where app = $1`
