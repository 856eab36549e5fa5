/**
 * The timetable as rows of its own: what runs when, whether it may, and where it stands. `revision` grows over all
 * entries of an app, so that a beat reads only what changed since it looked. Nothing that a claim or a decision writes
 * is indexed. The row of `schedule_app` is locked by whoever changes entries, before them: revisions commit in order.
 */
export const tablesV3 = (s: string): string => `
drop table ${s}.schedule_cursor, ${s}.schedule_decision cascade;
drop function if exists ${s}.load_v1(text, text[]);

create table ${s}.schedule_app (
  app text collate "C" primary key,
  revision bigint not null default 0,
  v smallint not null default 1
);

create table ${s}.schedule_entry (
  app text collate "C" not null,
  name text collate "C" not null,
  spec text not null,
  config text,
  state text not null default 'active',
  paused_at bigint,
  paused_why text,
  resumed_at bigint,
  asked_at bigint,
  max_runs integer,
  runs integer not null default 0,
  counts jsonb not null default '{}',
  last_nominal bigint,
  last_decision text,
  created_at bigint not null,
  changed_at bigint not null,
  revision bigint not null,
  nominal bigint not null,
  term integer not null default 0,
  claim_nominal bigint,
  claim_by text,
  claim_deadline bigint,
  claim_over boolean not null default false,
  decisions integer not null default 0,
  v smallint not null default 1,
  primary key (app, name)
) with (fillfactor = 70);
create index schedule_entry_revision on ${s}.schedule_entry (app, revision);
create index schedule_entry_removed on ${s}.schedule_entry (app, changed_at) where state = 'removed';

create table ${s}.schedule_decision (
  app text collate "C" not null,
  entry text collate "C" not null,
  nominal bigint not null,
  decision text not null,
  holder text,
  slots integer not null,
  term integer not null,
  decided_at bigint not null,
  v smallint not null default 1,
  primary key (app, entry, nominal)
);

create table ${s}.schedule_lead (
  app text collate "C" primary key,
  leader text not null,
  until_at bigint not null
);

create table ${s}.schedule_beat (
  app text collate "C" not null,
  beat text collate "C" not null,
  report text not null,
  seen_at bigint not null,
  primary key (app, beat)
);`
