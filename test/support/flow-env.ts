/** How the flow app is named and placed, in this process and in the workers' children that inherit it. */
export interface FlowEnv {
  readonly app: string
  readonly broker: string
  /** File that bodies append to; default: none. */
  readonly log?: string
  /** Default: 5 s. */
  readonly lease?: string | undefined
}

const NAMES = ['FLOW_APP', 'FLOW_BROKER', 'FLOW_LOG', 'FLOW_LEASE'] as const

/** Sets it; what it answers puts back what was there, for `after`: the next suite of this process must not inherit it. */
export function setFlowEnv({ app, broker, log, lease }: FlowEnv): () => void {
  const before = NAMES.map((name) => process.env[name])
  put([app, broker, log, lease])
  return () => put(before)
}

function put(values: readonly (string | undefined)[]): void {
  for (const [at, name] of NAMES.entries()) {
    const value = values[at]
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}

/** A body that lasts until it is told to end looks for this file. */
export function finishFile(log: string, id: string): string {
  return `${log}.finish-${id}`
}
