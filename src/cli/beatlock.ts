#!/usr/bin/env node
import { addBeatCommand } from './beat.js'
import { addCallCommand } from './call.js'
import { addControlCommands } from './control.js'
import { addDeadCommands } from './dead.js'
import { addDoctorCommand } from './doctor.js'
import { addInspectCommand } from './inspect.js'
import { addLocksCommands } from './locks-commands.js'
import { addMultiCommand } from './multi.js'
import { createProgram, main } from './program.js'
import { addPurgeCommand } from './purge.js'
import { addResultCommand } from './result.js'
import { addRevokeCommand } from './revoke.js'
import { addScheduleCommands } from './schedule.js'
import { addStatusCommand } from './status.js'
import { addWorkerCommand } from './worker.js'

const program = createProgram('beatlock', 'Runs tasks once at a time, across processes, hosts and restarts.')
addWorkerCommand(program)
addMultiCommand(program)
addBeatCommand(program)
addLocksCommands(program.command('locks').description('what is locked, by whom, since when; and how to free it'))
addScheduleCommands(program)
addCallCommand(program)
addResultCommand(program)
addRevokeCommand(program)
addPurgeCommand(program)
addDeadCommands(program)
addStatusCommand(program)
addDoctorCommand(program)
addInspectCommand(program)
addControlCommands(program)
await main(program)
