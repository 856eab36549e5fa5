import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, parse, resolve, sep } from 'node:path'

/**
 * The files that a pattern names, sorted: `*` and `?` within a name, `{a,b}`, and `**` for any depth of folders, links
 * left out. What
 * begins with a dot, `node_modules` and declarations (`.d.ts`) are only found by their full name. A path without any of
 * these is answered as it is.
 */
export function filesOf(folder: string, pattern: string): string[] {
  if (!/[*?{]/.test(pattern)) return [resolve(folder, pattern)]
  const paths = alternatives(pattern).flatMap((each) => found(resolve(folder, each)))
  return [...new Set(paths)].sort()
}

/** Where a pattern was looked for: its folders before the first that is a pattern itself. */
export function folderOf(folder: string, pattern: string): string {
  const path = resolve(folder, pattern)
  return dirname(`${path.slice(0, path.search(/[*?{]/))}.`)
}

/** `{a,b}` written out; they do not nest. */
function alternatives(pattern: string): string[] {
  const [, before = '', among = '', after = ''] = /^(.*?)\{([^{}]*)\}(.*)$/s.exec(pattern) ?? []
  if (among === '') return [pattern]
  return among.split(',').flatMap((each) => alternatives(`${before}${each}${after}`))
}

function found(path: string): string[] {
  const { root } = parse(path)
  return walk(root, path.slice(root.length).split(sep))
}

function walk(at: string, [part = '', ...rest]: readonly string[]): string[] {
  if (part === '**') return [...walk(at, rest), ...folders(at).flatMap((each) => walk(join(at, each), ['**', ...rest]))]
  const names = /[*?]/.test(part) ? readdirNames(at).filter((name) => fits(name, part)) : [part]
  if (rest.length > 0) return names.flatMap((name) => walk(join(at, name), rest))
  return names.map((name) => join(at, name)).filter(isFile)
}

/** Without links: they may run in a circle. */
function folders(at: string): string[] {
  return readdirNames(at).filter((name) => !/^\.|^node_modules$/.test(name) && lstatSync(join(at, name)).isDirectory())
}

function readdirNames(at: string): string[] {
  return isFolder(at) ? readdirSync(at) : []
}

function fits(name: string, part: string): boolean {
  if (/\.d\.[cm]?ts$/.test(name) || (name.startsWith('.') && !part.startsWith('.'))) return false
  const rule = part
    .replace(/[.+^$()|[\]\\{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${rule}$`, 's').test(name)
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory()
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile()
}
