// Full build: dist is emptied first, since a test deleted from the sources would otherwise still run.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
rmSync(`${root}dist`, { recursive: true, force: true })
const tsc = spawnSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', root], { stdio: 'inherit' })
if (tsc.status !== 0) {
  // What tsc wrote despite its errors must not pass for a build.
  rmSync(`${root}dist`, { recursive: true, force: true })
  process.exit(tsc.status ?? 1)
}
for (const command of ['beatlock', 'locks']) {
  const file = `${root}dist/src/cli/${command}.js`
  if (existsSync(file)) chmodSync(file, 0o755)
}
