/** What a contract suite needs of a test framework: mocha's and node:test's `describe` and `it` both fit. */
export interface TestKit {
  readonly describe: (title: string, body: () => void) => unknown
  readonly it: (title: string, body: () => Promise<void>) => unknown
}
