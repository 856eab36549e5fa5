/**
 * What limits, modes, displaced holders and histories need beside the first tables. A cooling hold has no message any
 * more, so one of the same id may have its place beside it: holds are named by their place. `holder_set` of a parked
 * call is the set it asks for. `unsettled`: a parked call may have its turn without anything being due.
 */
export const tablesV2 = (s: string): string => `
lock table ${s}.lock_key, ${s}.lock_call in access exclusive mode;
drop function if exists ${s}.first_holder_v1, ${s}.holders_v1, ${s}.run_without_hold_v1, ${s}.end_hold_v1;

alter table ${s}.lock_key add column unsettled boolean not null default false;
create index lock_key_unsettled on ${s}.lock_key (app, key) where unsettled;

alter table ${s}.lock_call
  add column cancelled_how text,
  alter column holder_set set default 'all',
  drop constraint lock_call_pkey,
  add primary key (app, key, place);
update ${s}.lock_call set holder_set = 'all', cancelled_how = case when cancelled_by is not null then 'cleared' end;
create unique index lock_call_ref on ${s}.lock_call (app, key, message_id, round) where stage <> 'cooling';

create table ${s}.lock_event (
  app text collate "C" not null,
  key text collate "C" not null,
  place bigint generated always as identity,
  at bigint not null,
  event text not null,
  message_id text collate "C" not null,
  by text,
  v smallint not null default 1,
  primary key (app, key, place)
);
create index lock_event_due on ${s}.lock_event (app, at) where at > 0;`
