// What every command of a fresh clone needs first: a Node that is new enough, the packages, the build. No dependency.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder, with a slash at its end. */
export const root = fileURLToPath(new URL('..', import.meta.url))
const SOURCES = ['src', 'adapters', 'test', 'bench', 'tsconfig.json']

/**
 * Checks Node and installs the packages where they are missing or other than package-lock.json says.
 * Ends the process with a sentence where that fails.
 */
export function setUp() {
  checkNode()
  const why = installNeeded()
  if (why === undefined) return
  console.log(`Installing packages: ${why}; this takes a moment.`)
  install()
}

/** Builds dist where it is missing or older than the sources. */
export function buildIfStale() {
  const entry = join(root, 'dist/src/index.js')
  if (existsSync(entry) && newest(SOURCES) <= statSync(entry).mtimeMs) return
  console.log('Building.')
  build()
}

/** A full build, always. */
export function build() {
  const { status } = run(process.execPath, ['scripts/build.mjs'])
  if (status !== 0) process.exit(status ?? 1)
}

/** Runs a command in the repository's folder, its output passed on. */
export function run(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
}

function checkNode() {
  const wanted = readJson('package.json').engines.node.replace('>=', '')
  const [major, minor] = wanted.split('.').map(Number)
  const [hasMajor, hasMinor] = process.versions.node.split('.').map(Number)
  if (hasMajor > major || (hasMajor === major && hasMinor >= minor)) return
  fail(`beatlock needs Node ${wanted} or newer; this is ${process.versions.node}. Install a newer one and start again.`)
}

/** Compares what is installed, not times: a checkout touches files that did not change. */
function installNeeded() {
  const installed = readJson('node_modules/.package-lock.json')?.packages
  if (installed === undefined) return 'they are missing'
  const locked = readJson('package-lock.json')?.packages ?? {}
  for (const [path, { version, optional }] of Object.entries(locked)) {
    const present = installed[path]?.version
    // An optional package that is absent is one for other platforms.
    if (path === '' || present === version || (optional && present === undefined)) continue
    return `package-lock.json asks for ${path.replace(/^.*node_modules\//, '')} ${version}`
  }
  return undefined
}

/**
 * The versions are those of package-lock.json. Not `npm ci`: it refuses a lock file that lacks optional packages of other
 * platforms, and npm writes just that where a registry does not have them. Nothing is saved: the lock file stays as it is.
 */
function install() {
  // Building needs the dev packages, also under NODE_ENV=production.
  const include = ['--include=dev', '--include=optional']
  const args = ['install', '--no-save', ...include, '--no-audit', '--no-fund', '--loglevel=error']
  // Under npm this is the very npm that runs us; it need not be on PATH.
  const npm = process.env.npm_execpath
  const { status, error } = npm?.endsWith('.js') ? run(process.execPath, [npm, ...args]) : run('npm', args)
  if (error) fail(`npm cannot be started (${error.message}); install npm and start again.`)
  if (status !== 0) fail(`npm install failed (above it says why); mend that and start again.`, status ?? 1)
}

function newest(paths) {
  return Math.max(...paths.map((path) => newestIn(join(root, path))))
}

/** Folders count too: their time tells of files that were removed. */
function newestIn(path) {
  if (!existsSync(path)) return 0
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestIn(join(path, name))))
}

function readJson(path) {
  const file = join(root, path)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

function fail(sentence, status = 1) {
  console.error(sentence)
  process.exit(status)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setUp()
