/** Who asked, and for the objects of which schema. */
export interface Asker {
  /** Plain or quoted. */
  readonly schema: string
  /** Undefined: as the environment or the system names it. */
  readonly role: string | undefined
}

/** What a role that runs workers and publishers needs of each kind of object. A table tells its identity's sequence along. */
const NEEDED: readonly (readonly [RegExp, (schema: string) => string])[] = [
  [/ for schema /, (schema) => `USAGE ON SCHEMA ${schema}`],
  [/ for (table|relation|view) /, (schema) => `SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema}`],
  [/ for sequence /, (schema) => `USAGE ON ALL SEQUENCES IN SCHEMA ${schema}`],
  [/ for function /, (schema) => `EXECUTE ON ALL FUNCTIONS IN SCHEMA ${schema}`],
]

/** The GRANT that cures what the server denied; undefined: it denied nothing. */
export function missingPrivilege(error: unknown, { schema, role }: Asker): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || error.code !== '42501') return undefined
  const needed = NEEDED.find(([kind]) => kind.test(error.message))?.[1]
  const cure = needed ? `GRANT ${needed(schema)} TO ${role ?? 'the role'}` : 'see its roles in the README'
  return `${error.message}; as the owner of schema ${schema}: ${cure}`
}
