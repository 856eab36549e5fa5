/** Values that an app's processes share, and the answers to requests that may be repeated. */
export const tablesV7 = (s: string): string => `
create table ${s}.shared_value (
  app text collate "C" not null,
  key text collate "C" not null,
  value text not null,
  expires_at bigint,
  primary key (app, key)
);
create index shared_value_expires on ${s}.shared_value (app, expires_at) where expires_at is not null;
create table ${s}.shared_request (
  app text collate "C" not null,
  request_id text collate "C" not null,
  answer text,
  at bigint not null,
  primary key (app, request_id)
);
create index shared_request_at on ${s}.shared_request (app, at);`
