import { defineScript } from '../script.js'
import { HOLD } from './hold.js'
import { RECORD } from './record.js'

/** One trip a batch: the engine has these messages (key, message id and round each). */
export const CONFIRM = defineScript('confirm_v1', [
  RECORD,
  HOLD,
  `
for i = 3, #ARGV, 3 do
  local record = load(ARGV[i])
  local hold = hold_of(record, { messageId = ARGV[i + 1], round = numeric(i + 2) })
  if hold and (hold.stage == 'publishing' or hold.stage == 'promoting') then
    enqueue(hold)
    save(record)
  end
end
return now
`,
])
