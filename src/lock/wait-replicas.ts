/** How many replicas must have a grant or a renewal before it counts, and how long that may take. */
export interface WaitReplicas {
  readonly count: number
  readonly timeoutMs: number
}
