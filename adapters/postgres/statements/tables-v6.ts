/** Which outcomes are not how their message ended, since a further round of it is on its way. */
export const tablesV6 = (s: string): string => `
lock table ${s}.lock_outcome in access exclusive mode;
alter table ${s}.lock_outcome add column reopened boolean not null default false;`
