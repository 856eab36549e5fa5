import { createRequire } from 'node:module'
import { basename, extname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from '../lock/error.js'

const EXTENSIONS = ['.ts', '.mts', '.cts']
const CURE =
  'run Node ≥ 22.18, which strips types, or install tsx beside the app (npm install tsx), or compile it to JavaScript first'

function isTypeScript(file: string): boolean {
  return EXTENSIONS.includes(extname(file))
}

/**
 * Makes this process able to import a TypeScript module: by `tsx` where the app's project has it, since it reads all of
 * the language; else by Node itself, where it strips types. Each child does the same by itself.
 * @throws UsageError that says what to do, where neither is there
 */
export async function readyForTypeScript(file: string, shown: string): Promise<void> {
  if (!isTypeScript(file) || startedWithHooks()) return
  const tsx = findTsx(file)
  if (tsx === undefined && stripsTypes()) return
  if (tsx === undefined) {
    throw new UsageError(
      `app module ${shown} is TypeScript, which Node ${process.versions.node} cannot read by itself: ${CURE}.`,
    )
  }
  // Once for a process: what `node --import tsx` does.
  await import(pathToFileURL(tsx).href)
}

/** What Node means when a TypeScript module fails to load, and the cure; undefined for other failures. */
export function typeScriptTrouble(error: unknown, file: string): string | undefined {
  const { code, message } = error as { code?: string; message: string }
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION') {
    // The module that was asked for, or one that it imports.
    const which = /extension "\.\w+" for (.+)$/m.exec(message)?.[1] ?? file
    return `Node cannot read ${basename(which)} by itself; ${isTypeScript(which) ? CURE : 'compile it to JavaScript first'}.`
  }
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX')
    return `${message}: Node only strips types; install tsx beside the app (npm install tsx), which reads all of TypeScript.`
  const missing = code === 'ERR_MODULE_NOT_FOUND' && isTypeScript(file) && /'([^']+)\.js'/.exec(message)
  if (missing)
    return `${message}; Node takes names of imports as they are written: import it as .ts, or install tsx beside the app (npm install tsx).`
  return undefined
}

/** `node --import tsx …`, NODE_OPTIONS, a loader of the user's: whoever set it knows. */
function startedWithHooks(): boolean {
  const flags = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)]
  return flags.some((flag) => /^--(import|loader|experimental-loader)(=|$)/.test(flag))
}

function stripsTypes(): boolean {
  return Boolean((process.features as { typescript?: unknown }).typescript)
}

function findTsx(file: string): string | undefined {
  try {
    return createRequire(file).resolve('tsx')
  } catch {
    return undefined
  }
}
