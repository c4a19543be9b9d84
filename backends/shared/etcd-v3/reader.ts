/** Reads, in the two consistencies. */
import type { IRangeRequest, IRangeResponse, IResponseHeader } from 'etcd3'
import type { ReadCall } from '../driver.ts'
import type { Cluster } from './cluster.ts'
import type { KeyRange } from './layout.ts'

export class Reader {
  readonly #cluster: Cluster
  /** The newest revision that an answer has shown: no read shows an older one, whichever server answers. */
  #seen = 0n

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** @throws CoordinationError */
  async range(range: KeyRange & IRangeRequest, call: ReadCall): Promise<IRangeResponse> {
    if (call.consistency === 'sequential') {
      const local = await this.#cluster.localRead(call, (etcd, options) =>
        etcd.kv.range({ ...range, serializable: true }, options),
      )
      if (BigInt(local.header.revision) >= this.#seen) {
        this.saw(local.header)
        return local
      }
    }
    const answer = await this.#cluster.read(call, (etcd, options) => etcd.kv.range(range, options))
    this.saw(answer.header)
    return answer
  }

  saw({ revision }: IResponseHeader): void {
    const seen = BigInt(revision)
    if (seen > this.#seen) this.#seen = seen
  }
}
