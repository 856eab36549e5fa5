import { DEAD_LETTER_BYTES, DEAD_LETTER_MS, DEAD_LETTERS_KEPT } from '../../../src/lock/dead-letter.js'

/** A letter for lists: without its message. */
const LETTER = `json_build_object('app', d.app, 'key', d.key, 'messageId', d.message_id, 'round', d.round,
    'task', d.task, 'label', d.label, 'queue', d.queue, 'code', d.code, 'at', d.at)`

const alive = (s: string): string => `not d.removed and d.at > ${s}.clock_v1() - ${DEAD_LETTER_MS}`

/**
 * Messages that were given up. A removed letter leaves its row, without the message, until its time is over: a late
 * redelivery must not bring it back.
 */
export const deadLetter = (s: string): string => `
create function ${s}.bury_v1(p_app text, r jsonb, p_message text) returns json language plpgsql as $$
declare
  n bigint;
  cut record;
begin
  perform ${s}.require_read_committed_v1();
  -- One at a time: two that bury at once would else both leave one letter too many.
  perform pg_advisory_xact_lock(hashtextextended('beatlock dead letters ' || p_app, 0));
  n := ${s}.clock_v1();
  delete from ${s}.dead_letter where app = p_app and at <= n - ${DEAD_LETTER_MS};
  insert into ${s}.dead_letter (app, message_id, round, key, task, label, queue, code, at, message)
    values (p_app, r->>'messageId', (r->>'round')::integer, r->>'key', r->>'task', r->>'label', r->>'queue',
      r->>'code', n, p_message)
    on conflict (app, message_id) do update set round = excluded.round, key = excluded.key, task = excluded.task,
      label = excluded.label, queue = excluded.queue, code = excluded.code, at = excluded.at,
      message = excluded.message, removed = false
    where dead_letter.round < excluded.round;
  select k.at, k.message_id into cut from (
      select d.at, d.message_id, row_number() over newest as nth, sum(octet_length(d.message)) over newest as bytes
        from ${s}.dead_letter d where d.app = p_app and not d.removed
        window newest as (order by d.at desc, d.message_id desc rows unbounded preceding)) k
    where k.nth > ${DEAD_LETTERS_KEPT} or k.bytes > ${DEAD_LETTER_BYTES}
    order by k.at desc, k.message_id desc limit 1;
  if found then
    delete from ${s}.dead_letter d
      where d.app = p_app and not d.removed and (d.at, d.message_id) <= (cut.at, cut.message_id);
  end if;
  return json_build_object('kept', exists (select from ${s}.dead_letter d where d.app = p_app
    and d.message_id = r->>'messageId' and d.round = (r->>'round')::integer and not d.removed), 'now', n);
end $$;

create function ${s}.remove_dead_letter_v1(p_app text, p_message_id text, p_round integer) returns json
language plpgsql as $$
declare
  n bigint := ${s}.clock_v1();
begin
  update ${s}.dead_letter d set removed = true, message = '', at = n
    where d.app = p_app and d.message_id = p_message_id and d.round = p_round and ${alive(s)};
  return json_build_object('removed', exists (select from ${s}.dead_letter d where d.app = p_app
    and d.message_id = p_message_id and d.round = p_round and d.removed and d.at > n - ${DEAD_LETTER_MS}), 'now', n);
end $$;`

/** $1 app, $2 whether of all apps. */
export const deadLetters = (s: string): string => `
select ${LETTER} as letter from ${s}.dead_letter d where ($2 or d.app = $1) and ${alive(s)}
  order by d.app, d.at desc, d.message_id desc`

/** $1 app, $2 message id. */
export const deadLetterOf = (s: string): string => `
select ${LETTER} as letter, d.message from ${s}.dead_letter d where d.app = $1 and d.message_id = $2 and ${alive(s)}`
