import type { ChildProcess } from 'node:child_process'

const LONGEST_LINE = 1000

/** Passes a child's stderr on to ours and remembers its last line, which often says why it died. */
export function followErrors(child: ChildProcess): { readonly read: Promise<void>; lastLine(): string } {
  const { stderr } = child
  if (!stderr) return { read: Promise.resolve(), lastLine: () => '' }
  let tail = ''
  stderr.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString('utf8')).slice(-LONGEST_LINE)
    if (process.stderr.write(chunk, () => stderr.resume())) return
    stderr.pause()
  })
  stderr.on('error', () => {})
  return {
    read: new Promise((resolve) => stderr.once('close', () => resolve())),
    lastLine: () => tail.trimEnd().split('\n').at(-1)?.trim() ?? '',
  }
}
