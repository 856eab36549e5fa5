// The figures of docs/RELIABILITY.md: faults × promises × backends, of rounds that `npm run faults` has played.
import { readFileSync, writeFileSync } from 'node:fs'

const FILE = new URL('../docs/RELIABILITY.md', import.meta.url)
const [BEGIN, END] = ['<!-- figures: npm run faults -->', '<!-- end of figures -->']

/** `played`: { name, minutes, firstSeed, reports } of each backend. */
export function writeReliability(played) {
  const text = readFileSync(FILE, 'utf8')
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (from < 0 || to < from) throw new Error('docs/RELIABILITY.md has no place for the figures.')
  const figures = played.map(section).join('\n')
  writeFileSync(FILE, `${text.slice(0, from + BEGIN.length)}\n\n${figures}\n${text.slice(to)}`)
}

function section({ name, minutes, firstSeed, reports }) {
  const bodies = sum(reports, ({ starts }) => starts)
  const calls = sum(reports, ({ calls }) => sum(Object.values(calls), (count) => count))
  const faults = [...new Set(reports.flatMap(({ faults }) => Object.keys(faults)))].sort()
  const groups = [...new Set(reports.flatMap(({ judgements }) => judgements.map(({ promises }) => promises)))]
  const rows = faults.map((fault) => {
    const struck = reports.filter(({ faults }) => fault in faults)
    const strikes = sum(struck, ({ faults }) => faults[fault])
    return [fault, strikes, struck.length, ...groups.map((group) => violations(struck, group))]
  })
  const all = sum(rows, ([, strikes]) => strikes)
  return [
    `### ${name}`,
    '',
    `${minutes} min, ${reports.length} rounds, seeds ${firstSeed} to ${firstSeed + reports.length - 1}: ` +
      `${thousands(calls)} calls, ${thousands(bodies)} bodies, ${thousands(all)} faults.`,
    '',
    row(['fault', 'strikes', 'rounds', ...groups]),
    row(['---', ...Array(2 + groups.length).fill('---:')]),
    ...rows.map(row),
    row(['**any**', all, reports.length, ...groups.map((group) => violations(reports, group))]),
    '',
  ].join('\n')
}

function violations(reports, group) {
  return sum(reports, ({ judgements }) =>
    sum(judgements, ({ promises, found }) => (promises === group ? found.length : 0)),
  )
}

function row(cells) {
  return `| ${cells.join(' | ')} |`
}

function sum(list, countOf) {
  return list.reduce((total, each) => total + countOf(each), 0)
}

function thousands(count) {
  return count.toLocaleString('en-US')
}
