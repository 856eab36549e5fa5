import { COMMANDS_KEPT } from '../../../src/lock/command.js'

/** Keeps what workers are asked and their first answers, and tells whoever waits for them. */
export const command = (s: string): string => `
create function ${s}.give_command_v1(p_app text, p_id text, p_body text, p_to text[], p_ttl_ms bigint) returns bigint
language plpgsql set lock_timeout = '2s' as $$
declare
  n bigint;
begin
  perform ${s}.require_read_committed_v1();
  -- Two that do not see each other would both find room for one.
  perform pg_advisory_xact_lock(hashtextextended('beatlock commands ' || p_app, 0));
  n := ${s}.clock_v1();
  insert into ${s}.command (app, id, body, given_at, ends_at) values (p_app, p_id, p_body, n, n + p_ttl_ms)
    on conflict do nothing;
  if found then
    insert into ${s}.command_answer (app, id, worker) select distinct p_app, p_id, w from unnest(p_to) w;
    delete from ${s}.command c where c.ctid = any (array(
      select ctid from ${s}.command where app = p_app and ends_at <= n for update skip locked));
    delete from ${s}.command c where c.ctid = any (array(
      select ctid from ${s}.command where app = p_app and id in (
          select id from ${s}.command where app = p_app order by ends_at desc, id desc offset ${COMMANDS_KEPT})
        for update skip locked));
  end if;
  perform ${s}.notify_v1(p_app, 'command:' || w) from unnest(p_to) w;
  return n;
end $$;

create function ${s}.answer_command_v1(p_app text, p_id text, p_worker text, p_answer text) returns boolean
language plpgsql as $$
begin
  perform ${s}.require_read_committed_v1();
  update ${s}.command_answer a set answer = coalesce(a.answer, p_answer) from ${s}.command c
    where a.app = p_app and a.id = p_id and a.worker = p_worker
      and c.app = a.app and c.id = a.id and c.ends_at > ${s}.clock_v1();
  if not found then return false; end if;
  perform ${s}.notify_v1(p_app, 'answer:' || p_id);
  return true;
end $$;`

export interface PendingRow {
  readonly id: string
  readonly body: string
  readonly givenAt: number
  readonly remainingMs: number
}

/** $1 app, $2 worker, $3 since when. */
export const pending = (s: string): string => `
select c.id, c.body, c.given_at::double precision as "givenAt",
    (c.ends_at - ${s}.clock_v1())::double precision as "remainingMs"
  from ${s}.command c join ${s}.command_answer a using (app, id)
  where c.app = $1 and a.worker = $2 and a.answer is null and c.given_at >= $3 and c.ends_at > ${s}.clock_v1()
  order by c.given_at, c.id`

/** $1 app, $2 command, $3 whose answers are known. */
export const answers = (s: string): string => `
select worker, answer from ${s}.command_answer
  where app = $1 and id = $2 and answer is not null and worker <> all ($3::text[])`

/** $1 app, $2 command. */
export const drop = (s: string): string => `delete from ${s}.command where app = $1 and id = $2`
