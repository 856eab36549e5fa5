/**
 * What fenced transactions need. `space` tells this schema from any other of its name. The constraint makes `token` a
 * column that a row lock of kind KEY SHARE keeps from changing: renewals pass such a lock, and a new grant waits for it.
 */
export const tablesV10 = (s: string): string => `
alter table ${s}.schema_version add column space uuid not null default gen_random_uuid();
lock table ${s}.lock_call in access exclusive mode;
alter table ${s}.lock_call add constraint lock_call_token unique (app, key, token);`
