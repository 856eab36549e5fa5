/** An outage repeats its error many times (8 to 30 were seen): each text passes at most once a second. */
export function throttled(listener: (error: Error) => void): (error: Error) => void {
  const told = new Map<string, number>()
  return (error) => {
    const now = performance.now()
    const last = told.get(error.message)
    if (last !== undefined && now - last < 1000) return
    if (told.size > 100) told.clear()
    told.set(error.message, now)
    listener(error)
  }
}
