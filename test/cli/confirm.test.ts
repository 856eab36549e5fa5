import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { confirmed, needsAnswer } from '../../src/cli/confirm.js'
import { UsageError } from '../../src/index.js'

/** A terminal on which somebody types, or, without text, hangs up. */
function terminal(typed: string | null) {
  const [stdin, stderr] = [new PassThrough(), new PassThrough()].map((stream) => Object.assign(stream, { isTTY: true }))
  if (!stdin || !stderr) assert.fail()
  if (typed === null) stdin.end()
  else stdin.write(typed)
  return { stdin, stderr, shown: () => String(stderr.read() ?? '') }
}

describe('the question before something is changed', () => {
  for (const yes of ['y\n', 'Y\n', 'yes\n', ' Yes \n']) {
    it(`takes ${JSON.stringify(yes)} for yes, and has shown what is meant`, async () => {
      const at = terminal(yes)
      assert.equal(await confirmed('reports: 3 waiting\n', 'End these 3 messages?', at), true)
      assert.match(at.shown(), /^reports: 3 waiting\n.*End these 3 messages\? \[y\/N\] /s)
    })
  }

  for (const no of ['n\n', '\n', 'yess\n', 'no, y\n', '\u0003', '\u0004', null]) {
    it(`takes ${no === null ? 'the end of its input' : JSON.stringify(no)} for no`, async () => {
      const at = terminal(no)
      assert.equal(await confirmed('', 'End this message?', at), false)
    })
  }

  it('is not asked where there is no terminal, on either side, and not needed with --yes', () => {
    const at = terminal('')
    needsAnswer('purge', {}, at)
    for (const side of ['stdin', 'stderr'] as const) {
      const piped = { ...at, [side]: new PassThrough() }
      assert.throws(
        () => needsAnswer('locks clear', {}, piped),
        (error: Error) =>
          error instanceof UsageError && /^locks clear: there is no terminal .* --yes to clear/.test(error.message),
      )
      needsAnswer('purge', { yes: true }, piped)
    }
  })
})
