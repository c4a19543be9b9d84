/** Storage on the driver: checks before anything is sent, transactions folded, refusals told as what they mean. */
import {
  checkData,
  checkId,
  checkKey,
  checkNamespace,
  CoordinationError,
  type CreateOptions,
  type Data,
  type Entry,
  type Fence,
  isCoordinationError,
  type ReadOptions,
  type Storage,
  type StorageOp,
  type Version,
  type WriteOptions,
} from '../../spi/index.ts'
import { CommitWriter } from './commit-writer.ts'
import { diagnose } from './diagnose.ts'
import type { Call, CommitOutcome, KeyChange } from './driver.ts'
import { type BytesOp, fold, type OpFailure } from './fold.ts'
import type { About, Kernel, Progress } from './kernel.ts'
import { listNames, scanEntries } from './scan-pages.ts'
import { Service } from './service.ts'

type Refused = Extract<CommitOutcome, { committed: false }>
type Versions = ReadonlyMap<string, Version>

/** What one call writes. */
interface Writes {
  readonly about: About
  readonly operations: readonly BytesOp[]
  readonly fence: Fence | undefined
  /** Errors name the operation's index. */
  readonly indexed: boolean
}

export class StorageClient extends Service implements Storage {
  readonly #writer: CommitWriter

  constructor(kernel: Kernel) {
    super(kernel)
    this.#writer = new CommitWriter(this.kernel)
  }

  async fetch(key: string, options?: ReadOptions): Promise<string | undefined> {
    return (await this.#read('fetch', key, options))?.text
  }

  async fetchEntry(key: string, options?: ReadOptions): Promise<Entry | undefined> {
    return this.#read('fetchEntry', key, options)
  }

  async put(key: string, data: Data, options: CreateOptions = {}): Promise<Version> {
    return this.#writeOne('put', options, () => this.#checked({ op: 'put', key, data }))
  }

  async update(key: string, data: Data, options: WriteOptions = {}): Promise<Version> {
    const { ifVersion } = options
    return this.#writeOne('update', options, () => {
      return this.#checked({ op: 'update', key, data, ...(ifVersion !== undefined && { ifVersion }) })
    })
  }

  async delete(key: string, options: WriteOptions = {}): Promise<boolean> {
    this.assertOpen()
    const fence = this.#checkedFence(options.fence)
    const { ifVersion } = options
    const operation = this.#checked({ op: 'delete', key, ...(ifVersion !== undefined && { ifVersion }) })
    const about = { what: 'delete', key }
    // asks for a key that is there, so that the answer tells whether it was, also when it is found out afterwards
    const changes: KeyChange[] = [{ key, expect: ifVersion ?? 'present', become: 'absent' }]
    return this.kernel.calls.steps(about, options, async (call, progress) => {
      const outcome = await this.#writer.write(about, { changes, fence }, call, progress)
      if (outcome.committed) return true
      const writes = { about, operations: [operation], fence, indexed: false }
      this.#throwIfFenced(writes, outcome)
      if (outcome.found.get(key) === undefined) return false
      this.#throwDiagnosis(writes, outcome)
      throw this.#baseless(about)
    })
  }

  async list(namespace: string, options?: ReadOptions): Promise<ReadonlySet<string>> {
    this.assertOpen()
    checkNamespace(namespace, this.capabilities)
    return listNames(this.kernel, namespace, options)
  }

  scan(namespace: string, options?: ReadOptions): AsyncIterable<Entry> {
    return {
      [Symbol.asyncIterator]: () => {
        this.assertOpen()
        checkNamespace(namespace, this.capabilities)
        return scanEntries(this.kernel, namespace, options)
      },
    }
  }

  async transact(
    operations: readonly StorageOp[],
    options: CreateOptions = {},
  ): Promise<readonly (Version | undefined)[]> {
    this.assertOpen()
    const { backend, transactions } = this.capabilities
    if (transactions === false) {
      throw new CoordinationError('UNSUPPORTED', `the ${backend} backend has no transactions`, { backend })
    }
    if (operations.length > transactions.maxOps) {
      const message = `${operations.length} operations, at most ${transactions.maxOps} are possible`
      throw new CoordinationError('TOO_LARGE', message, { backend })
    }
    const fence = this.#checkedFence(options.fence)
    const checked = operations.map((operation, index) => withIndex(index, () => this.#checked(operation)))
    const versions = await this.#write(
      { about: { what: 'transact' }, operations: checked, fence, indexed: true },
      options,
    )
    return checked.map(({ op, key }) => (op === 'put' || op === 'update' ? versions.get(key) : undefined))
  }

  protected override async release(): Promise<void> {
    // calls have ended with `closing`, and nothing else is held
  }

  async #read(what: string, key: string, options: ReadOptions | undefined): Promise<Entry | undefined> {
    this.assertOpen()
    checkKey(key, this.capabilities)
    return this.kernel.calls.read({ what, key }, options, (call) => this.kernel.driver.read(key, call))
  }

  async #writeOne(what: string, options: WriteOptions, check: () => BytesOp): Promise<Version> {
    this.assertOpen()
    const operation = check()
    const fence = this.#checkedFence(options.fence)
    const { key } = operation
    const writes = { about: { what, key }, operations: [operation], fence, indexed: false }
    const version = (await this.#write(writes, options)).get(key)
    if (version === undefined) throw this.#baseless(writes.about)
    return version
  }

  /** @returns the version of each key that was written. */
  async #write(writes: Writes, options: CreateOptions): Promise<Versions> {
    return this.kernel.calls.steps(writes.about, options, (call, progress) => this.#settle(writes, call, progress))
  }

  async #settle(writes: Writes, call: Call, progress: Progress): Promise<Versions> {
    const { about, operations, fence } = writes
    const absent = new Set<string>()
    for (;;) {
      const { changes, doomed } = fold(operations, absent)
      // nothing to do or to ask
      if (changes.length === 0 && fence === undefined) {
        if (doomed !== undefined) throw this.#failure(writes, { ...doomed, current: undefined })
        return new Map()
      }
      const outcome = await this.#writer.write(about, { changes, fence }, call, progress)
      if (outcome.committed) {
        if (doomed !== undefined) throw this.#failure(writes, { ...doomed, current: undefined })
        return outcome.versions
      }
      this.#throwIfFenced(writes, outcome)
      this.#throwDiagnosis(writes, outcome)
      // all operations would pass: a conditional delete met no key
      const news = changes.filter(({ key }) => outcome.found.get(key) === undefined && !absent.has(key))
      if (news.length === 0) throw this.#baseless(about)
      for (const { key } of news) absent.add(key)
    }
  }

  #throwIfFenced({ about, fence }: Writes, { token }: Refused): void {
    if (fence === undefined || token === fence.token) return
    const now = token === undefined ? 'nobody leads now' : `the present one is ${token}`
    const message = `the fence's token ${fence.token} of ${JSON.stringify(fence.service)} is out of date: ${now}`
    throw new CoordinationError('FENCED', message, { backend: this.capabilities.backend, ...keyOf(about) })
  }

  #throwDiagnosis(writes: Writes, { found }: Refused): void {
    const diagnosis = diagnose(writes.operations, found)
    if (diagnosis !== undefined) throw this.#failure(writes, diagnosis)
  }

  #failure(
    { operations, indexed }: Writes,
    { code, index, current }: { code: OpFailure; index: number; current: Entry | undefined },
  ): CoordinationError {
    const operation = operations[index]
    const key = operation?.key
    const told = code === 'KEY_NOT_FOUND' ? undefined : current
    return new CoordinationError(code, `${operation?.op ?? 'operation'} ${JSON.stringify(key)}: ${MEANING[code]}`, {
      backend: this.capabilities.backend,
      ...(key !== undefined && { key }),
      ...(told !== undefined && { current: told }),
      ...(indexed && { index }),
    })
  }

  #baseless(about: About): CoordinationError {
    const message = 'the driver refused a write that nothing stood in the way of, or wrote without a version'
    return new CoordinationError('INTERNAL', message, { backend: this.capabilities.backend, ...keyOf(about) })
  }

  #checked(operation: StorageOp): BytesOp {
    checkKey(operation.key, this.capabilities)
    switch (operation.op) {
      case 'check':
        return { op: 'check', key: operation.key, version: operation.version }
      case 'put':
        return { op: 'put', key: operation.key, bytes: checkData(operation.data, this.capabilities) }
      case 'update': {
        const { key, data, ifVersion } = operation
        return { op: 'update', key, bytes: checkData(data, this.capabilities), ifVersion }
      }
      case 'delete':
        return { op: 'delete', key: operation.key, ifVersion: operation.ifVersion }
      default: {
        // a plain JavaScript caller
        const message = `no such operation: ${JSON.stringify((operation as { op: unknown }).op)}`
        throw new CoordinationError('INVALID_ARGUMENT', message, { backend: this.capabilities.backend })
      }
    }
  }

  /** A copy: the caller's may be a handle that changes. */
  #checkedFence(fence: Fence | undefined): Fence | undefined {
    if (fence === undefined) return undefined
    const { backend, atomicFencing } = this.capabilities
    if (!atomicFencing) {
      throw new CoordinationError('UNSUPPORTED', `the ${backend} backend cannot check fences`, { backend })
    }
    const { service, token } = fence
    checkId('service', service, this.capabilities)
    if (typeof (token as unknown) !== 'bigint') {
      throw new CoordinationError('INVALID_ARGUMENT', 'the token of a fence must be a bigint', { backend })
    }
    return { service, token }
  }
}

const MEANING: Readonly<Record<OpFailure, string>> = {
  KEY_EXISTS: 'the key exists',
  KEY_NOT_FOUND: 'there is no such key',
  VERSION_MISMATCH: 'the key has changed',
}

/** What is wrong with one operation's arguments is told with its index. */
function withIndex<T>(index: number, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (!isCoordinationError(error)) throw error
    const { backend, effect, key } = error
    const details = { backend, effect, index, cause: error, ...(key !== undefined && { key }) }
    throw new CoordinationError(error.code, error.message, details)
  }
}

function keyOf({ key }: About): { readonly key?: string } {
  return key === undefined ? {} : { key }
}
