import { entrySet, MODES, type Mode, runSet } from '../../../src/lock/mode.js'

const cases = (setOf: (mode: Mode) => string): string =>
  MODES.map((mode) => `when '${mode}' then '${setOf(mode)}'`).join(' ')

/** Whom a hold of a mode keeps out, and which holds of a key count against each other. */
export const mode = (s: string): string => `
create function ${s}.entry_set_v1(p_mode text) returns text language sql immutable as $$
  select case p_mode ${cases(entrySet)} end
$$;

create function ${s}.run_set_v1(p_mode text) returns text language sql immutable as $$
  select case p_mode ${cases(runSet)} end
$$;

create function ${s}.are_rivals_v1(one text, other text) returns boolean language sql immutable as $$
  select one <> 'free' and other <> 'free' and (one = 'all' or other = 'all' or one = other)
$$;

-- The holds that count against one in a set, but not the one at place p_but. Their order of grant is that of place.
create function ${s}.rivals_v1(p_app text, p_key text, p_set text, p_but bigint default null)
returns setof ${s}.lock_call language sql stable as $$
  select * from ${s}.lock_call c where c.app = p_app and c.key = p_key and c.stage <> 'parked'
    and ${s}.are_rivals_v1(c.holder_set, p_set) and c.place is distinct from p_but
$$;

-- The first of the holds in the way, if there are as many as the asker allows; else null.
create function ${s}.blocker_v1(p_app text, p_key text, p_set text, p_limit integer, p_but bigint default null)
returns ${s}.lock_call language plpgsql as $$
declare
  c ${s}.lock_call;
begin
  if (select count(*) from ${s}.rivals_v1(p_app, p_key, p_set, p_but)) >= p_limit then
    select * into c from ${s}.rivals_v1(p_app, p_key, p_set, p_but) order by place limit 1;
  end if;
  return c;
end $$;`
