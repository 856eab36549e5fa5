import assert from 'node:assert/strict'
import { UsageError } from '../../src/index.js'
import { type CommandBody, readCommand, type WorkerCommand } from '../../src/task-base/worker-command.js'

const LONG = 'q'.repeat(100)

describe('a command to workers', () => {
  it('is small, whatever it asks for: names that are too long are refused, and parts that it does not have are dropped', () => {
    const largest = { do: 'cancelQueue', queue: LONG, note: 'x'.repeat(10_000) } as WorkerCommand
    const body: CommandBody = { v: 1, from: 'f'.repeat(200), command: readCommand(largest) }
    assert.deepEqual(body.command, { do: 'cancelQueue', queue: LONG })
    assert.ok(JSON.stringify(body).length < 400)
    const says = (error: Error) => error instanceof UsageError && /queue must be a name such as/.test(error.message)
    assert.throws(() => readCommand({ do: 'addQueue', queue: `${LONG}q` }), says)
  })
})
