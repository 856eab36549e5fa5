/**
 * What workers are asked, and a row for each that is: without an answer until it has given one. Not logged: an asker whom
 * a crash makes wait in vain asks again.
 */
export const tablesV8 = (s: string): string => `
create unlogged table ${s}.command (
  app text collate "C" not null,
  id text collate "C" not null,
  body text not null,
  given_at bigint not null,
  ends_at bigint not null,
  primary key (app, id)
);

create unlogged table ${s}.command_answer (
  app text collate "C" not null,
  id text collate "C" not null,
  worker text collate "C" not null,
  answer text,
  primary key (app, id, worker),
  foreign key (app, id) references ${s}.command on delete cascade
);`
