/** Workers of $1, or of all apps if $2; at most a day old. The row is the worker's own text, the sign of life ours. */
export const workers = (s: string): string => `
select row, seen_at::double precision as seen_at from ${s}.worker
  where ($2 or app = $1) and seen_at > ${s}.clock_v1() - 86400000 order by app, name`

export const leave = (s: string): string => `
with gone as (delete from ${s}.worker where app = $1 and name = $2 returning app)
select ${s}.notify_v1(app, 'workers') from gone`

/** Of $1, at most a day old. */
export const attendance = (s: string): string => `
select w.name, w.seen_at::double precision as "seenAt", n.now::double precision as now
  from (select ${s}.clock_v1() as now offset 0) n
  left join ${s}.worker w on w.app = $1 and w.seen_at > n.now - 86400000`

/**
 * $2 tasks and $3 their definitions (null: none), in the order of tasks: two workers that define at once cannot deadlock.
 */
export const define = (s: string): string => `
with told as (select d.task, d.definition from unnest($2::text[], $3::text[]) as d (task, definition)),
  gone as (
    delete from ${s}.guard_definition g where (g.app, g.task) in (
      select app, task from ${s}.guard_definition
        where app = $1 and task in (select task from told where definition is null) order by task for update))
insert into ${s}.guard_definition (app, task, definition)
  select $1, t.task, t.definition from told t where t.definition is not null order by t.task
  on conflict (app, task) do update set definition = excluded.definition
  where guard_definition.definition <> excluded.definition`

export const definition = (s: string): string => `
select definition from ${s}.guard_definition where app = $1 and task = $2`

/** Forgets all locks of $1 in one statement. */
export const destroyLocks = (s: string): string => `
with calls as (delete from ${s}.lock_call where app = $1),
  outcomes as (delete from ${s}.lock_outcome where app = $1),
  events as (delete from ${s}.lock_event where app = $1),
  letters as (delete from ${s}.dead_letter where app = $1),
  commands as (delete from ${s}.command where app = $1),
  counts as (delete from ${s}.lock_count where app = $1),
  counted as (delete from ${s}.count_request where app = $1),
  shared as (delete from ${s}.shared_value where app = $1),
  shared_requests as (delete from ${s}.shared_request where app = $1),
  workers as (delete from ${s}.worker where app = $1),
  listeners as (delete from ${s}.listener where app = $1),
  graces as (delete from ${s}.grace where app = $1),
  definitions as (delete from ${s}.guard_definition where app = $1)
delete from ${s}.lock_key where app = $1`
