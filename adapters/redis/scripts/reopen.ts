import { defineScript } from '../script.js'
import { MESSAGE } from './message.js'
import { RECORD } from './record.js'

/** One trip: the message is on its way once more: how this round or an earlier one ended is not its last word. */
export const REOPEN = defineScript('reopen_v1', [
  RECORD,
  MESSAGE,
  `
local key, message_id, round = ARGV[3], ARGV[4], numeric(5)
local changed
for _, ended in ipairs(note_of(message_id).endings) do
  if ended.key == key and ended.round <= round then ended.reopened, changed = true, true end
end
if changed then write_note(message_id, 'KEEPTTL') end
return now
`,
])
