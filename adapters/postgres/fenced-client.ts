/** A client of `pg`, by what is used of it. */
export interface FencedClient {
  // biome-ignore lint/suspicious/noExplicitAny: rows are what the caller's statement makes them, as with pg itself
  query(text: string, values?: any[]): Promise<{ rows: any[]; rowCount: number | null }>
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
  /** Of newer versions of pg. */
  getTransactionStatus?(): string | null
}

/** A pool of `pg`, by what is used of it. */
export interface FencedPool<C extends FencedClient = FencedClient> {
  readonly totalCount: number
  connect(): Promise<C & { release(destroy?: boolean): void }>
}
