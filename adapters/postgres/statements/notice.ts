const LISTENED_MS = 86_400_000

/** Tells whoever listens, at commit. Nothing depends on it. */
export const notify = (s: string): string => `
create function ${s}.channel_v1(p_app text) returns text language sql immutable as $$
  select 'beatlock_' || encode(substring(sha256(convert_to(
    json_build_array('${s.replaceAll("'", "''")}', p_app)::text, 'UTF8')) from 1 for 16), 'hex')
$$;

-- A payload of 8000 bytes would be an error, and undo the step.
create function ${s}.notify_v1(p_app text, p_topic text) returns void language plpgsql as $$
begin
  if octet_length(p_topic) < 4000 then perform pg_notify(${s}.channel_v1(p_app), p_topic); end if;
end $$;

create function ${s}.notify_turn_v1(c ${s}.lock_call) returns void language plpgsql as $$
begin
  if exists (select from ${s}.listener where app = c.app and message_id = c.message_id) then
    perform ${s}.notify_v1(c.app, 'message:' || c.message_id);
  end if;
end $$;

-- The last that is to be told of a message.
create function ${s}.notify_end_v1(o ${s}.lock_outcome) returns void language plpgsql as $$
begin
  delete from ${s}.listener where app = o.app and message_id = o.message_id;
  if found then perform ${s}.notify_v1(o.app, 'message:' || o.message_id); end if;
end $$;`

/** Somebody waits for these messages: $1 app, $2 message ids. One that has ended is looked for by whoever asks. */
export const listenFor = (s: string): string => `
insert into ${s}.listener (app, message_id, until)
  select $1, asked.id, ${s}.clock_v1() + ${LISTENED_MS} from unnest($2::text[]) as asked (id)
    where not exists (select from ${s}.lock_outcome o where o.app = $1 and o.message_id = asked.id)
    order by asked.id
  on conflict (app, message_id) do update set until = excluded.until`

/** The channel of $1, and which backend answers: behind a pooler not the one that the client was told of. */
export const channel = (s: string): string => `select ${s}.channel_v1($1) as channel, pg_backend_pid() as pid`
