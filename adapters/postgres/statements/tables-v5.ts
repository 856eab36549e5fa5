/**
 * Messages that somebody waits for: only those are told of, since a transaction that notifies commits alone. Not logged:
 * lost in a crash, those who wait only learn a little later.
 */
export const tablesV5 = (s: string): string => `
create unlogged table ${s}.listener (
  app text collate "C" not null,
  message_id text collate "C" not null,
  until bigint not null,
  primary key (app, message_id)
);
create index listener_until on ${s}.listener (app, until);`
