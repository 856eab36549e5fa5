import type { TestKit } from './kit.js'
import { acquireContract } from './lock-store/acquire.js'
import { clearContract } from './lock-store/clear.js'
import { commandContract } from './lock-store/command.js'
import { counterContract } from './lock-store/counter.js'
import { counterTotalsContract } from './lock-store/counter-totals.js'
import { deadLetterContract } from './lock-store/dead-letter.js'
import { directoryContract } from './lock-store/directory.js'
import { historyContract } from './lock-store/hold-history.js'
import { limitContract } from './lock-store/limit.js'
import { listContract } from './lock-store/list.js'
import { modeContract } from './lock-store/mode.js'
import { noticeContract } from './lock-store/notice.js'
import { parkContract } from './lock-store/park.js'
import { releaseContract } from './lock-store/release.js'
import { renewContract } from './lock-store/renew.js'
import { replaceContract } from './lock-store/replace.js'
import { requeueContract } from './lock-store/requeue.js'
import { resolveContract } from './lock-store/resolve.js'
import { revokeContract } from './lock-store/revoke.js'
import { runContract } from './lock-store/run.js'
import { type OpenLockStore, type SceneTest, sceneTests } from './lock-store/scene.js'
import { sharedContract } from './lock-store/shared.js'
import { sweepContract } from './lock-store/sweep.js'

const PARTS: Readonly<Record<string, (test: SceneTest) => void>> = {
  acquire: acquireContract,
  'advance to running': runContract,
  'advance to queued': requeueContract,
  release: releaseContract,
  renew: renewContract,
  sweep: sweepContract,
  resolve: resolveContract,
  'list, show and find': listContract,
  clear: clearContract,
  'several holders': limitContract,
  'several parked calls': parkContract,
  replace: replaceContract,
  modes: modeContract,
  revoke: revokeContract,
  'history of a key': historyContract,
  'dead letters': deadLetterContract,
  'counted totals': counterTotalsContract,
  'shared values': sharedContract,
  commands: commandContract,
  notices: noticeContract,
  'workers, definitions, destroy': directoryContract,
  'the counter': counterContract,
}

/**
 * What every lock store must do. `open` is called once a test and gives a store of an app name never used before.
 *
 * Times are short (leases of some 400 ms) and waited for in earnest on a real server: one run takes about 20 s there.
 */
export function lockStoreContract(kit: TestKit, open: OpenLockStore): void {
  kit.describe('lock store contract', () => {
    for (const [name, part] of Object.entries(PARTS)) {
      kit.describe(name, () => part(sceneTests(kit, open)))
    }
  })
}
