import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { DeadlineFeed } from '../../src/lock/deadline-feed.js'
import { makeFeedFolder } from '../../src/lock/feed-folder.js'
import { type FeedLine, onLines, writeLine } from '../../src/lock/feed-line.js'
import { ticketKey, writeTicket } from '../../src/lock/feed-ticket.js'
import { until } from '../support/until.js'

describe('DeadlineFeed', () => {
  const closing: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  async function deadMan(): Promise<{ socket: Socket; heard: FeedLine[] }> {
    const folder = makeFeedFolder()
    closing.push(() => folder.remove())
    const key = ticketKey()
    const feed = new DeadlineFeed({
      path: folder.path,
      ticketKey: key,
      deadlineNs: () => 7n,
      lossOf: (runId) => (runId === 'taken' ? 'taken' : undefined),
    })
    await feed.listen()
    closing.push(() => feed.close())
    const socket = connect(folder.path)
    closing.push(() => socket.destroy())
    const heard: FeedLine[] = []
    onLines<FeedLine>(socket, (line) => heard.push(line))
    // No group has this number: nobody is hit.
    writeLine(socket, { ticket: writeTicket(key, 0), pid: 2 ** 30, kills: 'group' })
    await until(() => heard.length === 1)
    assert.deepEqual(heard.shift(), { welcome: true })
    return { socket, heard }
  }

  it('[P7] tells of a loss that came before it knew who has the run in hand', async () => {
    const { socket, heard } = await deadMan()
    writeLine(socket, { run: 'kept' })
    await until(() => heard.length === 1)
    writeLine(socket, { run: 'taken' })
    await until(() => heard.length === 3)
    assert.deepEqual(heard, [
      { run: 'kept', deadline: '7' },
      { run: 'taken', deadline: '7' },
      { run: 'taken', abort: 'taken' },
    ])
  })
})
