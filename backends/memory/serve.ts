#!/usr/bin/env node
/**
 * `node serve.js --listen HOST:PORT [--data FILE]`: the reference store as a process. Passwords come from the
 * environment, where other users of the machine cannot read them: KETA_MEMORY_PASSWORD, and for clients that may not
 * touch one cluster KETA_MEMORY_RESTRICTED_PASSWORD with KETA_MEMORY_FORBIDDEN_CLUSTER. Prints one line when it
 * listens.
 */
import { parseArgs } from 'node:util'
import { type AccessRules, serveStore } from './server.ts'

const { values } = parseArgs({ options: { listen: { type: 'string' }, data: { type: 'string' } } })
const listen = /^(?<host>.+):(?<port>\d+)$/.exec(values.listen ?? '127.0.0.1:0')?.groups
if (listen === undefined) {
  console.error('usage: serve.js --listen HOST:PORT [--data FILE]')
  process.exit(2)
}
const served = await serveStore({
  host: listen['host'] ?? '',
  port: Number(listen['port']),
  data: values.data,
  access: accessRules(process.env),
})
console.log(`listening on ${served.endpoint}`)

function accessRules(env: NodeJS.ProcessEnv): AccessRules {
  const password = env['KETA_MEMORY_PASSWORD']
  const restricted = env['KETA_MEMORY_RESTRICTED_PASSWORD']
  const forbiddenCluster = env['KETA_MEMORY_FORBIDDEN_CLUSTER']
  if (restricted === undefined || forbiddenCluster === undefined) return { password }
  return { password, restricted: { password: restricted, forbiddenCluster } }
}
