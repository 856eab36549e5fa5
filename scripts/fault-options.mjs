import { parseArgs } from 'node:util'

/**
 * `--minutes N --seed S --backend redis|postgres`; ends the process with the usage of `command` for anything else.
 * `length` is what says how much there is to do, and its default.
 */
export function faultOptions(command, length = { name: 'minutes', default: '5' }) {
  try {
    const { values } = parseArgs({
      options: {
        [length.name]: { type: 'string', default: length.default },
        seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
        backend: { type: 'string', default: 'redis' },
      },
    })
    const [amount, seed] = [Number(values[length.name]), Number(values.seed)]
    if (amount > 0 && Number.isSafeInteger(seed) && ['redis', 'postgres'].includes(values.backend)) {
      return { [length.name]: amount, seed, backend: values.backend }
    }
  } catch (error) {
    console.error(error.message)
  }
  console.error(`Usage: ${command} -- [--${length.name} N] [--seed S] [--backend redis|postgres]`)
  process.exit(2)
}
