import { type Call, callWork, type Hammer, hammer, openFaultApp, type ProcessSpec } from './fault-process.js'

/** A publisher of its own: `node publisher-process.js '<ProcessSpec as JSON>'`, orders by IPC. */
export type PublisherOrder =
  | { readonly do: 'call'; readonly ask: number; readonly call: Call }
  | { readonly do: 'hammer'; readonly ask: number; readonly hammer: Hammer }
  | { readonly do: 'stop' }

const app = await openFaultApp(JSON.parse(process.argv[2] ?? '') as ProcessSpec)
process.on('message', (order: PublisherOrder) => void obey(order))
process.send?.({ say: 'ready' })

async function obey(order: PublisherOrder): Promise<void> {
  if (order.do === 'stop') {
    await app.close()
    process.exit(0)
  }
  const { ask } = order
  try {
    const value = order.do === 'call' ? await callWork(app, order.call) : await hammer(app, order.hammer)
    const plain = typeof value === 'number' ? value : { ...value, askedNs: String(value.askedNs) }
    process.send?.({ say: 'answer', ask, value: plain })
  } catch (error) {
    process.send?.({ say: 'answer', ask, error: String(error) })
  }
}
