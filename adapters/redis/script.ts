import { createHash } from 'node:crypto'

/** One atomic step as the server runs it. The name ends in `_v1`, so that later versions can stand beside it. */
export interface Script {
  readonly name: string
  readonly text: string
  readonly sha: string
}

/** Composes a script from its parts in order. The name leads the text: it shows in the server's slow log. */
export function defineScript(name: string, parts: readonly string[]): Script {
  const text = `-- beatlock ${name}\n${parts.join('')}`
  return { name, text, sha: createHash('sha1').update(text).digest('hex') }
}
