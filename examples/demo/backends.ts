/** The stores that the demo knows, and how each is started: one entry each. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKeta } from 'keta'
import { startEtcd } from '../../test-servers/etcd.ts'

export interface StartedStore {
  /** For people. */
  readonly name: string
  /** `plugin.locator.classname` */
  readonly locator: string
  /** The contents of `plugin.configuration.file`. */
  readonly properties: Readonly<Record<string, string>>
  stop(): Promise<void>
}

export const BACKENDS: Readonly<Record<string, () => Promise<StartedStore>>> = {
  keta: startKetaHere,
  async etcd() {
    const { endpoint, stop } = await startedEtcd()
    return { name: `etcd, ${endpoint}`, locator: 'etcd', properties: { 'plugin.etcd.endpoints': endpoint }, stop }
  },
}

/** In this process: there is nothing to be installed. */
async function startKetaHere(): Promise<StartedStore> {
  const dataDir = await mkdtemp(join(tmpdir(), 'keta-demo-'))
  const server = await startKeta({ dataDir, listenClientUrls: ['http://127.0.0.1:0'] })
  const endpoint = server.clientUrls.map((url) => new URL(url).host).join(',')
  return {
    name: `keta, in this process, ${endpoint}`,
    locator: 'keta',
    properties: { 'plugin.keta.endpoints': endpoint },
    async stop() {
      await server.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

async function startedEtcd() {
  const server = await startEtcd()
  return { endpoint: server.endpoint, stop: () => server.stop() }
}
