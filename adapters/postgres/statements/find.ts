/** What is known about one message, in its latest round: $1 app, $2 message id, $3 key or null. */
export const find = (s: string): string => `
select ${s}.clock_v1() as now, coalesce(c.key, o.key, $3) as key,
  case when c.key is null and not o.reopened then ${s}.outcome_v1(o) end as outcome,
  case when c.stage <> 'parked' then json_build_object('stage', c.stage, 'retries', c.retries, 'worker', c.worker)
    end as hold,
  coalesce(c.stage = 'parked', false) as parked
from (select) one
left join lateral (
  select * from ${s}.lock_outcome o where o.app = $1 and o.message_id = $2 and ($3::text is null or o.key = $3)
    order by o.round desc, o.ended_at desc limit 1) o on true
left join lateral (
  select * from ${s}.lock_call c where c.app = $1 and c.message_id = $2 and c.stage <> 'cooling' and ($3::text is null or c.key = $3)
    order by c.round desc limit 1) c on true`
