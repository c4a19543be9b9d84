/** The client as a program. */
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { BrokerError, messageOf } from '../errors.ts'
import type { Address } from '../wire/connection.ts'
import { BrokerClient } from './client.ts'

const HELP = `usage: npm run broker:client -- [--bootstrap host:port,…] <command>

  topics                            the names
  describe [topic]                  brokers, controller, leaders and who is in sync
  create <topic> [--partitions n] [--replication-factor n] [--config name=value]…
  delete <topic>
  config <topic> name=value…        change its configuration; name= is the default again
  produce <topic> [--partition n]   a record for each line of the input
  consume <topic> [--partition n] [--from offset] [--follow]
  reassign <topic> <partition> <broker,…>
  elect <topic> <partition>         the first of its replicas leads, if it is in sync

--bootstrap is 127.0.0.1:9092 by default. Exit codes: 0 done · 1 a failure · 2 wrong arguments`

type Options = ReturnType<typeof parse>['values']

class WrongArguments extends Error {}

const COMMANDS: Readonly<
  Record<string, (client: BrokerClient, args: readonly string[], options: Options) => Promise<void>>
> = {
  async topics(client) {
    const { topics } = await client.metadata()
    for (const name of Object.keys(topics).sort()) console.log(name)
  },
  async describe(client, [topic]) {
    const { brokers, controller, topics } = await client.metadata()
    for (const { id, host, port, epoch } of brokers) {
      console.log(`broker ${id}  ${host}:${port}  epoch ${epoch}${id === controller ? '  controller' : ''}`)
    }
    for (const [name, { topic_id: id, config, partitions }] of Object.entries(topics)) {
      if (topic !== undefined && topic !== name) continue
      console.log(`topic ${name}  ${id}  ${JSON.stringify(config)}`)
      for (const [partition, { leader, leader_epoch: epoch, isr, replicas }] of Object.entries(partitions)) {
        console.log(`  ${partition}  leader ${leader} (epoch ${epoch})  isr ${isr.join(',')}  of ${replicas.join(',')}`)
      }
    }
  },
  async create(client, [topic], { partitions, 'replication-factor': factor, config = [] }) {
    await client.createTopic(required(topic, 'a topic'), {
      partitions: number(partitions ?? '1'),
      replicationFactor: number(factor ?? '1'),
      config: pairs(config),
    })
  },
  async delete(client, [topic]) {
    await client.deleteTopic(required(topic, 'a topic'))
  },
  async config(client, [topic, ...changes]) {
    await client.alterConfig(required(topic, 'a topic'), pairs(changes))
  },
  async produce(client, [topic], { partition }) {
    for await (const line of createInterface({ input: process.stdin })) {
      const offset = await client.produce(required(topic, 'a topic'), number(partition ?? '0'), [Buffer.from(line)])
      console.log(`${offset}`)
    }
  },
  async consume(client, [topic], { partition, from, follow = false }) {
    for (let offset = number(from ?? '0'); ; ) {
      const records = await client.fetch(
        required(topic, 'a topic'),
        number(partition ?? '0'),
        offset,
        follow ? 2_000 : 0,
      )
      for (const { value } of records) console.log(value.toString('utf8'))
      offset = (records.at(-1)?.offset ?? offset - 1) + 1
      if (records.length === 0 && !follow) return
    }
  },
  async reassign(client, [topic, partition, replicas]) {
    const ids = required(replicas, 'brokers').split(',').map(number)
    await client.reassign(required(topic, 'a topic'), number(required(partition, 'a partition')), ids)
  },
  async elect(client, [topic, partition]) {
    await client.electPreferred(required(topic, 'a topic'), number(required(partition, 'a partition')))
  },
}

async function main(args: readonly string[]): Promise<number> {
  let client: BrokerClient | undefined
  try {
    const { values, positionals } = parse(args)
    const [name = '', ...rest] = positionals
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (values.help === true || command === undefined) {
      console.log(HELP)
      return values.help === true ? 0 : 2
    }
    client = new BrokerClient((values.bootstrap ?? '127.0.0.1:9092').split(',').map(addressOf))
    await command(client, rest, values)
    return 0
  } catch (error) {
    console.error(error instanceof BrokerError ? `${error.code}: ${error.message}` : messageOf(error))
    return error instanceof WrongArguments || (error instanceof TypeError && 'code' in error) ? 2 : 1
  } finally {
    client?.close()
  }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      bootstrap: { type: 'string' },
      partitions: { type: 'string' },
      'replication-factor': { type: 'string' },
      config: { type: 'string', multiple: true },
      partition: { type: 'string' },
      from: { type: 'string' },
      follow: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
}

function addressOf(text: string): Address {
  const [, host, port] = /^(.+):(\d+)$/.exec(text) ?? []
  if (host === undefined) throw new WrongArguments(`${text} is not host:port`)
  return { host, port: Number(port) }
}

function number(text: string): number {
  if (!/^\d+$/.test(text)) throw new WrongArguments(`${text} is not a number`)
  return Number(text)
}

function pairs(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name, value] = /^([^=]+)=(.*)$/.exec(text) ?? []
      if (name === undefined || value === undefined) throw new WrongArguments(`${text} is not name=value`)
      return [name, value]
    }),
  )
}

function required(text: string | undefined, what: string): string {
  if (text === undefined) throw new WrongArguments(`${what} is missing`)
  return text
}

process.exitCode = await main(process.argv.slice(2))
