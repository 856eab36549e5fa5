/** Rows as the port's values. What reads tables is plpgsql, which keeps its plans for the session. */
export const views = (s: string): string => `
create function ${s}.holder_v1(c ${s}.lock_call) returns json language sql stable as $$
  select json_build_object('id', c.message_id, 'stage', c.stage, 'worker', c.worker, 'since', c.since,
    'token', case when c.stage = 'running' then c.token end)
$$;

create function ${s}.outcome_v1(o ${s}.lock_outcome) returns json language sql stable as $$
  select json_build_object('messageId', o.message_id, 'round', o.round, 'outcome', o.outcome, 'token', o.token,
    'result', o.result, 'code', o.code, 'error', o.error, 'into', o.into_id, 'at', o.ended_at)
$$;

create function ${s}.promotion_v1(c ${s}.lock_call) returns json language sql stable as $$
  select json_build_object('key', c.key, 'messageId', c.message_id, 'round', c.round, 'message', c.message)
$$;

-- How long until somebody else may be granted the key, as far as the record tells.
create function ${s}.remaining_ms_v1(c ${s}.lock_call, n bigint) returns bigint language sql stable as $$
  select greatest(0, c.expires_at + case when c.stage = 'running' then c.lock_delay_ms else 0 end - n)
$$;

-- What of a hold only the engine can tell, once its time is over; else null.
create function ${s}.doubt_v1(c ${s}.lock_call, n bigint) returns json language sql stable as $$
  select json_build_object('key', c.key, 'messageId', c.message_id, 'round', c.round, 'stage', c.stage,
    'token', c.token, 'queue', c.queue)
  where (c.stage = 'publishing' and c.expires_at <= n)
     or (c.stage = 'running' and c.expires_at + c.lock_delay_ms <= n)
$$;

-- Refused, for as long as this holder may keep the key.
create function ${s}.refused_v1(c ${s}.lock_call, n bigint) returns json language sql stable as $$
  select json_build_object('outcome', 'refused', 'holder', ${s}.holder_v1(c),
    'remainingMs', ${s}.remaining_ms_v1(c, n), 'now', n)
$$;

create function ${s}.event_v1(e ${s}.lock_event) returns json language sql stable as $$
  select json_build_object('at', e.at, 'event', e.event, 'messageId', e.message_id, 'by', e.by)
$$;

-- How a message ended, under its key; null while it has not.
create function ${s}.outcome_of_v1(p_app text, p_key text, r jsonb) returns ${s}.lock_outcome language plpgsql as $$
declare
  o ${s}.lock_outcome;
begin
  select * into o from ${s}.lock_outcome
    where app = p_app and key = p_key and message_id = r->>'messageId' and round = (r->>'round')::integer;
  return o;
end $$;`
