/** What of an ioredis client is needed here. */
interface Client {
  on(event: 'error' | 'sentinelError', listener: (error: Error) => void): unknown
  off(event: 'error' | 'sentinelError', listener: (error: Error) => void): unknown
}

/** What the caller has to mend: sentinels that do not know the primary, or that refuse the login. */
export class SentinelMistake extends Error {
  override readonly name = 'SentinelMistake'
}

/**
 * Tells of every error of a client, those about sentinels in words that say what is wrong: the client's own ("All sentinels
 * are unreachable") are the same for all that can be. Returns what ends it.
 */
export function hearErrors(client: Client, tell: (error: Error) => void): () => void {
  // What one sentinel said. The client's own error follows when none is left to be asked.
  let said: Error | undefined
  const onSentinel = (error: Error): void => {
    said = error
  }
  const onError = (error: Error): void => tell(readable(error, said))
  client.on('sentinelError', onSentinel)
  client.on('error', onError)
  return () => {
    client.off('sentinelError', onSentinel)
    client.off('error', onError)
  }
}

function readable(error: Error, said: Error | undefined): Error {
  // Of a cluster whose nodes all failed, the last one's tells why.
  if ('lastNodeError' in error && error.lastNodeError instanceof Error) return error.lastNodeError
  if (!error.message.startsWith('All sentinels are unreachable')) return error
  const told = `${error.message} ${said?.message}`
  if (/No such master|invalid reply: null/.test(told))
    return new SentinelMistake('its sentinels know no primary of that name; write the one that they monitor')
  if (/\b(WRONGPASS|NOAUTH|NOPERM)\b/.test(told))
    return new SentinelMistake(
      'its sentinels refuse the login; give theirs as sentinelUsername and sentinelPassword, or in code as sentinel: { username, password }',
    )
  return new Error('none of its sentinels answers')
}

/**
 * What an ACL keeps the user from, with the line that cures it, or undefined where the error is of another kind. Servers
 * name the command, but not in scripts; keys and channels they never name.
 */
export function permissionTrouble(error: unknown): string | undefined {
  const text = error instanceof Error ? error.message : ''
  const command = /^NOPERM .* run the '([\w|]+)' command/.exec(text)?.[1]
  if (command !== undefined) return `its user may not run ${command}; allow it: ACL SETUSER <user> +${command}`
  if (/^NOPERM .*channel/.test(text))
    return 'its user may not use the channels of this app; allow them: ACL SETUSER <user> &beatlock:<app>:*'
  if (/^NOPERM |The user executing the script can't access at least one of the keys/.test(text))
    return 'its user may not use the keys of this app; allow them: ACL SETUSER <user> ~{bl:*}:<app>:* ~{bl:*}:apps ~{<app>}:*'
  if (/The user executing the script can't run this command/.test(text))
    return 'its user may not run a command that our scripts use; allow all of the README (ACL SETUSER <user> +…)'
  return undefined
}
