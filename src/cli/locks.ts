#!/usr/bin/env node
import { addLocksCommands } from './locks-commands.js'
import { createProgram, main } from './program.js'

const program = createProgram(
  'locks',
  'What is locked, by whom, since when; and how to free it. Short for beatlock locks.',
)
addLocksCommands(program)
await main(program)
