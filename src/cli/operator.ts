import { hostname, userInfo } from 'node:os'

/** Who gives a command, for the record. A uid may have no name, as in a container. */
export function operator(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    return `uid ${process.getuid?.() ?? '?'}@${hostname()}`
  }
}
