import { parseArgs } from 'node:util'

/**
 * `--minutes N --seed S --backend NAME`; ends the process with the usage of `command` for anything else. `length` is what
 * says how much there is to do, and its default. With `all`, no backend means every one: 'all'.
 */
export function faultOptions(
  command,
  { length = { name: 'minutes', default: '5' }, backends = ['redis', 'postgres'], all = false } = {},
) {
  const named = all ? [...backends, 'all'] : backends
  try {
    const { values } = parseArgs({
      options: {
        [length.name]: { type: 'string', default: length.default },
        seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
        backend: { type: 'string', default: all ? 'all' : backends[0] },
      },
    })
    const [amount, seed] = [Number(values[length.name]), Number(values.seed)]
    if (amount > 0 && Number.isSafeInteger(seed) && named.includes(values.backend)) {
      return { [length.name]: amount, seed, backend: values.backend }
    }
  } catch (error) {
    console.error(error.message)
  }
  console.error(`Usage: ${command} -- [--${length.name} N] [--seed S] [--backend ${named.join('|')}]`)
  process.exit(2)
}
