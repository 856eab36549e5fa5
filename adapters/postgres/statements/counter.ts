/** Adds rows, never changes one that another adds to; then adds up, bounded, what nobody else is adding up. */
export const counter = (s: string): string => `
create function ${s}.count_v1(p_app text, p_request text, p_counts jsonb) returns json language plpgsql as $$
declare
  n bigint := ${s}.clock_v1();
begin
  perform ${s}.require_read_committed_v1();
  insert into ${s}.count_request (app, request_id, at) values (p_app, p_request, n) on conflict do nothing;
  if not found then return json_build_object('now', n); end if;
  insert into ${s}.lock_count (app, task, name, n)
    select p_app, c->>'task', c->>'name', (c->>'n')::bigint from jsonb_array_elements(p_counts) c;
  with taken as (
    select place from ${s}.lock_count where app = p_app order by place limit 1000 for update skip locked
  ), gone as (
    delete from ${s}.lock_count l where l.app = p_app and l.place = any (array(select place from taken))
      returning l.task, l.name, l.n
  )
  insert into ${s}.lock_count (app, task, name, n)
    select p_app, g.task, g.name, sum(g.n) from gone g group by g.task, g.name;
  delete from ${s}.count_request r where r.ctid = any (array(
    select ctid from ${s}.count_request where app = p_app and at <= n - 600000 order by at limit 100
      for update skip locked));
  return json_build_object('now', n);
end $$;`

/** $1 app, $2 whether of all apps. */
export const counts = (s: string): string => `
select app, task, name, sum(n)::double precision as n from ${s}.lock_count where $2 or app = $1
  group by app, task, name`
