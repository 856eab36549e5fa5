import { parseArgs } from 'node:util'

/** `--minutes N --seed S --backend redis|postgres`; ends the process with the usage of `command` for anything else. */
export function faultOptions(command) {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '5' },
        seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
        backend: { type: 'string', default: 'redis' },
      },
    })
    const [minutes, seed] = [Number(values.minutes), Number(values.seed)]
    if (minutes > 0 && Number.isSafeInteger(seed) && ['redis', 'postgres'].includes(values.backend)) {
      return { minutes, seed, backend: values.backend }
    }
  } catch (error) {
    console.error(error.message)
  }
  console.error(`Usage: ${command} -- [--minutes N] [--seed S] [--backend redis|postgres]`)
  process.exit(2)
}
