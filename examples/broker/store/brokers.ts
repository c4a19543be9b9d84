/** The brokers that are there, and this one among them: group `brokers`, one member for each, by its id. */
import type { GroupChangeListener, GroupMembershipClient, Logger, Membership } from 'keta/spi'
import { Bell } from '../bell.ts'
import { asInt, asText, parseObject } from '../core/json.ts'
import { BrokerError, messageOf } from '../errors.ts'
import type { Address } from '../wire/connection.ts'

export interface BrokerInfo extends Address {
  readonly id: number
  readonly epoch: bigint
}

export interface Registration extends Address {
  readonly id: number
  /** Of the folder with the logs. */
  readonly directoryId: string
}

export const GROUP = 'brokers'
const RETRY_MS = 200

export class Brokers {
  readonly #group: GroupMembershipClient
  readonly #logger: Logger
  readonly #changed: () => void
  readonly #work = new Bell()
  readonly #worker: Promise<void>
  readonly #listener: GroupChangeListener
  #brokers: ReadonlyMap<number, BrokerInfo> = new Map()
  #membership: Membership | undefined
  /** Who is there, as the listener was told last. */
  #told: ReadonlySet<string> = new Set()
  #isDirty = false
  #isOver = false

  /** @param changed is called when others than before are there. */
  constructor(group: GroupMembershipClient, logger: Logger, changed: () => void) {
    this.#group = group
    this.#logger = logger
    this.#changed = changed
    this.#listener = {
      onGroupChange: (ids) => {
        this.#told = ids
        this.refresh()
      },
      onRejoined: (membership) => {
        this.#membership = membership
        this.#logger.info(`registered again as broker ${membership.id}, epoch ${membership.epoch}`)
        this.refresh()
      },
    }
    this.#worker = this.#run()
  }

  get all(): ReadonlyMap<number, BrokerInfo> {
    return this.#brokers
  }

  /** Of this broker; undefined before its registration. */
  get epoch(): bigint | undefined {
    return this.#membership?.epoch
  }

  /**
   * Registers this broker. A record that its own folder was registered with is that of its own dead process, for the
   * folder is locked: it is replaced. Any other is another broker's.
   * @throws CoordinationError MEMBER_EXISTS if a living broker has the id.
   */
  async register({ id, host, port, directoryId }: Registration): Promise<void> {
    const now = (await this.#group.members()).get(String(id))
    const isOwn = now !== undefined && directoryOf(now.data) === directoryId
    const data = JSON.stringify({
      listener_security_protocol_map: { PLAINTEXT: 'PLAINTEXT' },
      endpoints: [`PLAINTEXT://${host}:${port}`],
      host,
      port,
      version: 5,
      timestamp: String(Date.now()),
      directory_id: directoryId,
    })
    this.#membership = await this.#group.join(String(id), data, { onConflict: isOwn ? 'takeover' : 'throw' })
    await this.#group.addListener(this.#listener, { initial: true })
    await this.#read()
  }

  /** What is known of addresses may be out of date. */
  refresh(): void {
    this.#isDirty = true
    this.#work.ring()
  }

  async close(): Promise<void> {
    this.#isOver = true
    this.#work.ring()
    await this.#worker
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const more = this.#work.next(60_000)
      if (!this.#isDirty) {
        await more
        continue
      }
      this.#isDirty = false
      try {
        if (await this.#read()) continue
      } catch (error) {
        this.#logger.warn(`the brokers could not be read: ${messageOf(error)}`)
      }
      this.#isDirty = true
      await this.#work.next(RETRY_MS)
    }
  }

  /**
   * @returns whether it is what the listener was told last. If not, one of them is late: who goes and comes again in
   * between is nothing that a listener need be told of, and must not be missed for it.
   */
  async #read(): Promise<boolean> {
    const brokers = new Map<number, BrokerInfo>()
    const members = await this.#group.members()
    for (const { id, data, epoch } of members.values()) {
      try {
        const json = parseObject(new TextDecoder().decode(data), `broker ${id}`)
        const info = { id: asInt(Number(id), 'a broker’s id'), epoch }
        brokers.set(info.id, { ...info, host: asText(json['host'], 'host'), port: asInt(json['port'], 'port') })
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error
        this.#logger.warn(`member ${id} of ${GROUP} is not a broker: ${error.message}`)
      }
    }
    this.#brokers = brokers
    this.#changed()
    return members.size === this.#told.size && [...members.keys()].every((id) => this.#told.has(id))
  }
}

function directoryOf(data: Uint8Array): unknown {
  return parseObject(new TextDecoder().decode(data), 'a broker')['directory_id']
}
