/**
 * Messages that were given up; when the engine was first found not to have a queued message; and counters: rows that are
 * only ever added, since one row a counter would make everybody wait for it, and added up by whoever reads or prunes.
 */
export const tablesV4 = (s: string): string => `
lock table ${s}.lock_call in access exclusive mode;
alter table ${s}.lock_call add column missed_at bigint;

create table ${s}.dead_letter (
  app text collate "C" not null,
  message_id text collate "C" not null,
  round integer not null,
  key text collate "C" not null,
  task text collate "C" not null,
  label text not null,
  queue text not null,
  code text not null,
  at bigint not null,
  message text not null,
  removed boolean not null default false,
  v smallint not null default 1,
  primary key (app, message_id)
);
create index dead_letter_at on ${s}.dead_letter (app, at, message_id);

create table ${s}.lock_count (
  app text collate "C" not null,
  place bigint generated always as identity,
  task text collate "C" not null,
  name text collate "C" not null,
  n bigint not null,
  primary key (app, place)
);

create table ${s}.count_request (
  app text collate "C" not null,
  request_id text collate "C" not null,
  at bigint not null,
  primary key (app, request_id)
);
create index count_request_at on ${s}.count_request (app, at);`
