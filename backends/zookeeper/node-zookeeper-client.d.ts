/** What tests use of the whole npm client: the eye of another on what we wrote. It brings no types. */
declare module 'node-zookeeper-client' {
  import type { EventEmitter } from 'node:events'

  interface ForeignStat {
    readonly version: number
    readonly ephemeralOwner: Buffer
    readonly numChildren: number
  }

  type Done<T extends readonly unknown[] = []> = (error: Error | null, ...results: T) => void

  export interface ForeignClient extends EventEmitter {
    connect(): void
    close(): void
    addAuthInfo(scheme: string, auth: Buffer): void
    create(path: string, data: Buffer | null, acls: unknown, mode: number, done: Done<[string]>): void
    setData(path: string, data: Buffer | null, version: number, done: Done<[ForeignStat]>): void
    getData(path: string, watcher: null, done: Done<[Buffer | undefined, ForeignStat]>): void
    getChildren(path: string, watcher: null, done: Done<[string[]]>): void
    remove(path: string, version: number, done: Done): void
  }

  interface Zookeeper {
    createClient(
      servers: string,
      options?: {
        readonly sessionTimeout?: number
        readonly spinDelay?: number
        readonly retries?: number
        readonly sessionId?: Buffer
        readonly sessionPassword?: Buffer
      },
    ): ForeignClient
    readonly CreateMode: { readonly PERSISTENT: number; readonly EPHEMERAL: number }
    readonly ACL: {
      readonly OPEN_ACL_UNSAFE: unknown
      readonly CREATOR_ALL_ACL: unknown
    }
  }

  const zookeeper: Zookeeper
  export default zookeeper
}
