/** $1 app, $2 key, $3 slot. */
export const takeSeat = (s: string): string => `select pg_try_advisory_lock(${s}.barrier_id_v1($1, $2, $3)) as taken`

export const dropSeat = (s: string): string => `select pg_advisory_unlock(${s}.barrier_id_v1($1, $2, $3))`

/** Many seats in one round trip: $1 app, $2 keys, $3 slots. */
export const retakeSeats = (s: string): string => `
select seat.ord, pg_try_advisory_lock(${s}.barrier_id_v1($1, seat.key, seat.slot)) as taken
  from unnest($2::text[], $3::integer[]) with ordinality as seat (key, slot, ord)`

/** Ends one backend, named by process id and start, and waits until it is gone. */
export const endBackend = `
select pg_terminate_backend(pid, 2000) from pg_stat_activity
  where pid = $1 and extract(epoch from backend_start)::text = $2`
