/**
 * Runs `work` over the items, at most `limit` at once, and waits for all that began. After a failure no further item is
 * begun: `leftOver` is handed the rest, and the first failure is thrown.
 */
export async function inParallel<Item>(
  items: readonly Item[],
  { limit, leftOver }: { readonly limit: number; readonly leftOver: (item: Item) => void },
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const remaining = items.values()
  const failures: unknown[] = []
  const lane = async (): Promise<void> => {
    for (const item of remaining) {
      if (failures.length > 0) leftOver(item)
      else await work(item).catch((error: unknown) => void failures.push(error))
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane))
  if (failures.length > 0) throw failures[0]
}
