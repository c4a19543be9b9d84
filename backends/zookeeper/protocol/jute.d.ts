/** What we use of the records and the codec of node-zookeeper-client, which brings no types. */
declare module 'node-zookeeper-client/lib/jute/index.js' {
  /** What can be put into a request. */
  export interface Payload {
    byteLength(): number
    /** Returns how many bytes it has written. */
    serialize(buffer: Buffer, offset: number): number
  }

  export interface JuteRecord extends Payload {
    /** Fills the record; returns how many bytes it has read. Throws when there are too few. */
    deserialize(buffer: Buffer, offset: number): number
  }

  /** Its arguments are the fields, in their order; a long is a buffer of eight bytes. */
  type RecordClass<Fields, Args extends readonly unknown[]> = new (...args: Args | []) => JuteRecord & Fields

  export interface StatFields {
    czxid: Buffer
    mzxid: Buffer
    version: number
    ephemeralOwner: Buffer
    dataLength: number
    numChildren: number
    pzxid: Buffer
  }

  interface Jute {
    readonly Request: new (
      header: Payload | undefined,
      payload: Payload | undefined,
    ) => {
      /** With its length in front. */
      toBuffer(): Buffer
    }
    readonly data: {
      readonly Id: RecordClass<object, [scheme: string, id: string]>
      readonly ACL: RecordClass<object, [permissions: number, id: JuteRecord]>
      readonly Stat: RecordClass<StatFields, []>
    }
    readonly protocol: {
      readonly ConnectRequest: RecordClass<
        object,
        [protocolVersion: number, lastZxidSeen: Buffer, timeOut: number, sessionId: Buffer, password: Buffer]
      >
      readonly ConnectResponse: RecordClass<{ timeOut: number; sessionId: Buffer; passwd: Buffer | undefined }, []>
      readonly RequestHeader: RecordClass<object, [xid: number, type: number]>
      readonly ReplyHeader: RecordClass<{ xid: number; zxid: Buffer; err: number }, []>
      readonly AuthPacket: RecordClass<object, [type: number, scheme: string, auth: Buffer]>
      readonly CreateRequest: RecordClass<
        object,
        [path: string, data: Buffer | undefined, acl: readonly JuteRecord[], flags: number]
      >
      readonly CreateResponse: RecordClass<{ path: string }, []>
      readonly DeleteRequest: RecordClass<object, [path: string, version: number]>
      readonly ExistsRequest: RecordClass<object, [path: string, watch: boolean]>
      readonly ExistsResponse: RecordClass<{ stat: StatFields }, []>
      readonly SetDataRequest: RecordClass<object, [path: string, data: Buffer | undefined, version: number]>
      readonly SetDataResponse: RecordClass<{ stat: StatFields }, []>
      readonly GetDataRequest: RecordClass<object, [path: string, watch: boolean]>
      readonly GetDataResponse: RecordClass<{ data: Buffer | undefined; stat: StatFields }, []>
      readonly GetChildren2Request: RecordClass<object, [path: string, watch: boolean]>
      readonly GetChildren2Response: RecordClass<{ children: string[] | undefined; stat: StatFields }, []>
      readonly WatcherEvent: RecordClass<{ type: number; state: number; path: string }, []>
      readonly MultiHeader: RecordClass<
        { type: number; done: boolean; err: number },
        [type: number, done: boolean, err: number]
      >
      readonly CheckVersionRequest: RecordClass<object, [path: string, version: number]>
      readonly ErrorResponse: RecordClass<{ err: number }, []>
    }
  }

  const jute: Jute
  export default jute
}
