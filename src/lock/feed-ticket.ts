import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** A key for tickets, cloneable to the thread that checks them. */
export function ticketKey(): Uint8Array {
  return new Uint8Array(randomBytes(32))
}

/** The ticket with this number. Checked without having been announced, so that issuing and using it cannot race. */
export function writeTicket(key: Uint8Array, number: number): string {
  return `${number}.${createHmac('sha256', key).update(String(number)).digest('hex')}`
}

/** Takes each ticket once. */
export class TicketGate {
  readonly #key: Uint8Array
  readonly #used = new Set<number>()

  constructor(key: Uint8Array) {
    this.#key = key
  }

  admit(ticket: unknown): boolean {
    if (typeof ticket !== 'string') return false
    const number = Number.parseInt(ticket, 10)
    const genuine = Buffer.from(writeTicket(this.#key, number))
    const shown = Buffer.from(ticket)
    if (shown.length !== genuine.length || !timingSafeEqual(shown, genuine) || this.#used.has(number)) return false
    this.#used.add(number)
    return true
  }
}
