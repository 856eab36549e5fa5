import { HISTORY } from './history.js'
import { HOLD } from './hold.js'
import { OUTCOME } from './outcome.js'
import { PARKED } from './parked.js'
import { RECORD } from './record.js'
import { SETTLE } from './settle.js'

/** What every step of a key is made of, in the order in which the parts need each other. */
export const TRANSITION: readonly string[] = [RECORD, HOLD, PARKED, OUTCOME, HISTORY, SETTLE]
