import type { Once } from './once.js'
import type { Task } from './task.js'

/** Compile-time checks of a task class: `once.keys` must name arguments of `run`, `once` must know its options. */
export type Args<T extends Task> = Parameters<T['run']>

/** Property names of a sole object argument. */
export type Named<A extends readonly unknown[]> = A extends readonly [infer O]
  ? O extends readonly unknown[]
    ? never
    : O extends object
      ? keyof O & string
      : never
  : never

type OnceOf<T> = T extends { once: infer O } ? O : Record<never, never>
type KeysOf<T> = OnceOf<T> extends { keys: readonly (infer K)[] } ? K : never
type ParamsOf<T> = T extends { params: readonly (infer P)[] } ? P : never
type BadKey<T extends Task> = Exclude<KeysOf<T>, Named<Args<T>> | ParamsOf<T>>
type BadOption<T> = Exclude<keyof OnceOf<T>, keyof Once>

/** `unknown` for a sound task class, else a type that says what is wrong. */
export type Checked<T extends Task> = [BadKey<T>] extends [never]
  ? [BadOption<T>] extends [never]
    ? unknown
    : { 'unknown option in once': BadOption<T> }
  : { 'once.keys names no argument of run': BadKey<T> }
