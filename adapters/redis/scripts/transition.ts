import { HISTORY } from './history.js'
import { HOLD } from './hold.js'
import { MESSAGE } from './message.js'
import { OUTCOME } from './outcome.js'
import { PARKED } from './parked.js'
import { RECORD } from './record.js'
import { RIVAL } from './rival.js'
import { SETTLE } from './settle.js'

/** What a step needs whose message has its key for itself, in the order in which the parts need each other. */
export const ALONE: readonly string[] = [RECORD, HOLD, MESSAGE, OUTCOME]

/** What it needs beside that where others hold the key or wait for it. */
export const CONTESTED: readonly string[] = [RIVAL, PARKED, HISTORY, SETTLE]

/** What every step of a key is made of. */
export const TRANSITION: readonly string[] = [...ALONE, ...CONTESTED]
