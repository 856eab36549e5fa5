import type { Command } from 'commander'
import { addLocksClear } from './locks-clear.js'
import { addLocksList } from './locks-list.js'
import { addLocksShow } from './locks-show.js'

/** The commands of `beatlock locks`, and of the short `locks`. */
export function addLocksCommands(parent: Command): void {
  addLocksList(parent)
  addLocksShow(parent)
  addLocksClear(parent)
}
