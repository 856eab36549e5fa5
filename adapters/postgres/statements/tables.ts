/**
 * Everything that is kept. `lock_call` holds the holders and the parked calls of a key alike (stage `parked`), so that a
 * parked call whose turn comes is one update. `place` is the order within a key: of grants for holders, of arrival for
 * parked calls. Instants are epoch ms by this server's clock; messages, results and definitions are JSON as text, since
 * jsonb refuses `\u0000` and forgets the order of names.
 *
 * An index by instant has a condition that is always true, and only what looks for what is due states it. Without it a
 * young table, of which nothing is known yet, is searched for one key by all that the app has; a session keeps that plan.
 */
export const tables = (s: string): string => `
-- Not IF NOT EXISTS, which asks for the right to create even where an administrator made the schema.
do $$ begin
  if to_regnamespace('${s}') is null then create schema ${s}; end if;
end $$;

create table ${s}.schema_version (
  single boolean primary key default true check (single),
  version integer not null
);

-- One row a key: what every transition locks first. It outlives its calls for the sake of last_token.
create table ${s}.lock_key (
  app text collate "C" not null,
  key text collate "C" not null,
  last_token bigint not null default 0,
  used_on date not null default current_date,
  v smallint not null default 1,
  primary key (app, key)
);
create index lock_key_used on ${s}.lock_key (app, used_on) where used_on > '2000-01-01';

create table ${s}.lock_call (
  app text collate "C" not null,
  key text collate "C" not null,
  message_id text collate "C" not null,
  round integer not null,
  place bigint generated always as identity,
  holder_set text not null default 'main',
  stage text not null,
  task text collate "C" not null,
  label text not null,
  queue text not null,
  holder_limit integer not null,
  mode text not null,
  timeout_ms bigint not null,
  guarded boolean not null,
  not_before bigint,
  worthless_at bigint,
  expires_at bigint not null,
  due_at bigint not null,
  acquired_at bigint not null,
  since bigint not null,
  deliveries integer not null default 0,
  retries integer not null default 0,
  token bigint,
  owner text,
  worker text,
  barrier text,
  slot integer,
  lease_ms bigint not null default 0,
  lock_delay_ms bigint not null default 0,
  cancelled_by text,
  request_id text,
  message text,
  v smallint not null default 1,
  primary key (app, key, message_id, round)
);
create index lock_call_due on ${s}.lock_call (app, due_at) where stage <> 'parked' and due_at > 0;
create index lock_call_message on ${s}.lock_call (app, message_id);

create table ${s}.lock_outcome (
  app text collate "C" not null,
  key text collate "C" not null,
  message_id text collate "C" not null,
  round integer not null,
  outcome text not null,
  token bigint,
  result text,
  code text,
  error text,
  into_id text,
  ended_at bigint not null,
  keep_until bigint not null,
  result_until bigint not null,
  v smallint not null default 1,
  primary key (app, key, message_id, round)
);
create index lock_outcome_due on ${s}.lock_outcome (app, greatest(keep_until, result_until)) where keep_until > 0;
create index lock_outcome_message on ${s}.lock_outcome (app, message_id);

create table ${s}.worker (
  app text collate "C" not null,
  name text collate "C" not null,
  row text not null,
  seen_at bigint not null,
  v smallint not null default 1,
  primary key (app, name)
);

create table ${s}.guard_definition (
  app text collate "C" not null,
  task text collate "C" not null,
  definition text not null,
  v smallint not null default 1,
  primary key (app, task)
);

create table ${s}.schedule_cursor (
  app text collate "C" not null,
  entry text collate "C" not null,
  nominal bigint not null,
  term integer not null default 0,
  claim_nominal bigint,
  claim_by text,
  claim_deadline bigint,
  decisions integer not null default 0,
  v smallint not null default 1,
  primary key (app, entry)
);

create table ${s}.schedule_decision (
  app text collate "C" not null,
  entry text collate "C" not null,
  nominal bigint not null,
  decision text not null,
  message_id text,
  holder text,
  slots integer not null,
  decided_at bigint not null,
  v smallint not null default 1,
  primary key (app, entry, nominal)
);`
