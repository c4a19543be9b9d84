#!/usr/bin/env node
/** The executable. Exit codes: 0 asked for and done, 1 failed, 2 the command line or the configuration is wrong. */
import { runCommand } from './cli.ts'

process.exitCode = await runCommand(process.argv.slice(2), process.env)
