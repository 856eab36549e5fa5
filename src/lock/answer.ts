/** Every answer carries the store's time in epoch ms. */
export interface Answer {
  readonly now: number
}
