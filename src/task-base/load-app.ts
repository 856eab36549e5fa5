import { existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from '../lock/error.js'
import { packageVersion } from '../lock/version.js'
import { APP_VERSION, type App } from './app.js'
import type { AppOverrides } from './app-servers.js'
import { filesOf, folderOf } from './import-glob.js'
import { readyForTypeScript, typeScriptTrouble } from './typescript.js'

/** Which app to load, and what stands over its own options. */
export interface AppSpec extends AppOverrides {
  /** Path of the module; it exports the app as `app` or as default. */
  readonly module: string
}

/** Loads an app's module and its `imports`, then lets it configure itself. @throws UsageError that names the module and the cure. */
export async function loadApp(spec: AppSpec): Promise<App> {
  const file = requireModule(spec.module)
  const exported = await load(file, spec.module)
  const app = exported['app'] ?? exported['default']
  if (!isApp(app)) {
    throw new UsageError(
      `${spec.module} exports no app: write \`export const app = new App('name')\`, or export it as default.`,
    )
  }
  refuseOtherVersion(spec.module, app[APP_VERSION])
  const { module: _, ...overrides } = spec
  app.override(overrides)
  for (const pattern of app.settings.imports) {
    for (const each of imported(dirname(file), pattern, app.name)) await load(each, pattern)
  }
  app.configure()
  return app
}

/** Also an App of another copy of this package, as when the command is installed elsewhere than the app's own. */
function isApp(value: unknown): value is App {
  return typeof value === 'object' && value !== null && APP_VERSION in value
}

/** What an app and a command use of each other is fixed within a version only. */
function refuseOtherVersion(module: string, its: string): void {
  const own = packageVersion()
  if (its === own) return
  throw new UsageError(
    `${module} brings beatlock ${its}, this command is beatlock ${own}; run the app's own: npx beatlock.`,
  )
}

/** The path of an app's module. @throws UsageError where there is no such file */
export function requireModule(shown: string): string {
  const file = resolve(shown)
  if (!existsSync(file)) {
    const cure = moduleNamed(shown) ?? './app.js'
    throw new UsageError(`app module ${shown} does not exist (looked at ${file}); name its file: -A ${cure}.`)
  }
  if (statSync(file).isDirectory())
    throw new UsageError(`app module ${shown} is a folder; name the file in it that exports the app.`)
  return file
}

const ENDINGS = ['.js', '.mjs', '.ts', '.mts', '.cjs']

/** The file that is meant by a module's name as Python has it: `app`, `shop.app`. */
function moduleNamed(name: string): string | undefined {
  if (!/^[\w-]+(?:[./][\w-]+)*$/.test(name)) return undefined
  const paths = ENDINGS.flatMap((ending) => [`${name}${ending}`, `${name.replaceAll('.', '/')}${ending}`])
  const found = paths.find((path) => existsSync(path))
  return found && `./${found}`
}

async function load(file: string, shown: string): Promise<Record<string, unknown>> {
  await readyForTypeScript(file, shown)
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>
  } catch (cause) {
    if (cause instanceof UsageError) throw cause
    throw new UsageError(`app module ${shown} does not load: ${describe(cause, file)}`, { cause })
  }
}

function describe(error: unknown, file: string): string {
  if (!(error instanceof Error)) return String(error)
  return typeScriptTrouble(error, file) ?? `${error.name}: ${error.message}${cureOf(error, file)}`
}

/** Node keeps to itself where it could not read on: in this module, or in one that it imports. */
function cureOf(error: Error, file: string): string {
  if (readAsCommonJs(error)) return MODULE_CURE
  return error instanceof SyntaxError && /\.[cm]?js$/.test(file) ? `; node ${file} shows where.` : ''
}

const MODULE_CURE = `; Node takes the file for CommonJS: set "type": "module" in its package.json, or name it .mjs.`

/** As where `npm init` has written `"type": "commonjs"`. Node's own hint is a warning that a log may not show. */
function readAsCommonJs(error: Error): boolean {
  return (
    error instanceof SyntaxError &&
    /^Cannot use import statement outside|^Unexpected token 'export'/.test(error.message)
  )
}

/** The modules that a pattern names; at least one. */
function imported(folder: string, pattern: string, app: string): string[] {
  const files = filesOf(folder, pattern)
  if (files.length === 0)
    throw new UsageError(`app '${app}': imports '${pattern}' match no file in ${folderOf(folder, pattern)}.`)
  const missing = files.find((file) => !existsSync(file) || statSync(file).isDirectory())
  if (missing === undefined) return files
  const what = existsSync(missing) ? 'is a folder; write' : 'does not exist; name a module, or'
  throw new UsageError(
    `app '${app}': imports '${pattern}' ${what} a pattern such as './tasks/*.js' (looked at ${missing}).`,
  )
}
