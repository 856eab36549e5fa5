import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { figure, type Line, ms } from './line.js'
import { median } from './sample.js'

const ENTRY = new URL('../src/index.js', import.meta.url).href
const PROGRAM = `const t = performance.now(); await import(${JSON.stringify(ENTRY)}); console.log(performance.now() - t)`

/** `import 'beatlock'` in a fresh process, Node's own start not counted. */
export async function importTime(): Promise<Line> {
  const taken: number[] = []
  for (let round = 0; round < 9; round += 1) {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', PROGRAM])
    taken.push(Number(stdout))
  }
  return figure("import 'beatlock'", ms(median(taken)), '< 100 ms')
}
