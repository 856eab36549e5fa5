/** Which server this was, in which of its lives, and since when what it tells may lack the last commits; the longest lease of an app. */
export const tablesV11 = (s: string): string => `
create table ${s}.epoch (
  single boolean primary key default true check (single),
  epoch text not null,
  lost_at bigint
);

create table ${s}.grace (
  app text collate "C" primary key,
  grace_ms bigint not null
);`
