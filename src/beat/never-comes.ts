import { UsageError } from '../lock/error.js'

const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
]
const LENGTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

export interface Dates {
  /** 1 to 31. */
  readonly days: readonly number[]
  /** 1 is January. */
  readonly months: readonly number[]
}

/** The length of the longest of these months, where all days are past it; undefined where some date comes. Pure. */
export function tooShort({ days, months }: Dates): { readonly longest: number; readonly why: string } | undefined {
  const longest = Math.max(...months.map((month) => LENGTHS[month - 1] ?? 0))
  if (Math.min(...days) <= longest) return undefined
  const names = months.map((month) => MONTHS[month - 1]).join(', ')
  const most = longest === 29 ? `${longest} days at most` : `${longest} days`
  return {
    longest,
    why: months.length === 1 ? `${names} has ${most}` : `of ${names} none has more than ${longest} days`,
  }
}

/** @throws UsageError for fields of crontab() that no date matches (31 April). `written` is how its author wrote them. */
export function refuseNever(written: string, dates: Dates, dayOfMonth: unknown): void {
  const short = tooShort(dates)
  if (!short) return
  const at = typeof dayOfMonth === 'string' ? ` at position ${dayOfMonth.search(/\S/) + 1}` : ''
  const day = typeof dayOfMonth === 'string' ? dayOfMonth.trim() : dates.days.join(', ')
  throw new UsageError(
    `${written} names a date that never comes: "${day}"${at} of dayOfMonth, but ${short.why}; ` +
      `write ${short.longest} or less, or another monthOfYear.`,
  )
}
