/** Which configurations of an app were in force, the present one last; and when its timetable began, which names its data. */
export const tablesV9 = (s: string): string => `
lock table ${s}.schedule_app in access exclusive mode;
alter table ${s}.schedule_app add column editions text[] not null default '{}',
  add column born bigint not null default floor(extract(epoch from clock_timestamp()) * 1000000);`
