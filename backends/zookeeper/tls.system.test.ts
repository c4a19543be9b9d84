import { expect } from 'chai'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClientTls, makeCertificates } from '../../test-servers/certificates.ts'
import { provideOrSkip } from '../../test-servers/server.ts'
import { ensureZooKeeper, startZooKeeper, type ZooKeeperEnsemble } from '../../test-servers/zookeeper.ts'
import { call, commitOf, failureOf, reading, write } from '../shared/driver-calls.fixture.ts'
import type { Tls } from './connection/socket.ts'
import { SESSION_TTL_MS, TICK_MS } from './harness.fixture.ts'
import { Drivers } from './opened.fixture.ts'

describe('the driver on a ZooKeeper that wants TLS and certificates', function () {
  this.timeout(60_000)
  const drivers = new Drivers()
  let folder: string
  let ensemble: ZooKeeperEnsemble
  let own: ClientTls
  let foreign: ClientTls

  const filesOf = ({ caFile, certFile, keyFile }: ClientTls) => ({
    ca: readFileSync(caFile),
    cert: readFileSync(certFile),
    key: readFileSync(keyFile),
  })
  const open = (tls: Tls) => drivers.open(ensemble.secureEndpoints, { tls })

  before(async function () {
    await provideOrSkip(this, ensureZooKeeper)
    ensemble = await startZooKeeper({ tickMs: TICK_MS, tls: true, properties: { 'ssl.clientAuth': 'need' } })
    own = ensemble.tls ?? expect.fail('no certificates')
    folder = mkdtempSync(join(tmpdir(), 'keta-zookeeper-tls-'))
    foreign = (await makeCertificates(folder)).client
  })
  afterEach(() => drivers.close())
  after(async () => {
    await ensemble.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  it('reads and writes', async () => {
    const driver = await open(filesOf(own))
    const { id } = await driver.openSession(SESSION_TTL_MS, call())
    expect(await driver.commit(commitOf(id, 1, write('/a', '1')), call())).to.include({ committed: true })
    expect((await driver.read('/a', reading()))?.text).to.equal('1')
  })

  it('refuses servers whose authority is not the one that it was given', async () => {
    const error = await failureOf(open({ ...filesOf(own), ca: readFileSync(foreign.caFile) }))
    expect(error).to.include({ code: 'CONNECTION', effect: 'none' })
    expect(error['message']).to.match(/certificate/)
  })

  it('is refused without a certificate, and with a foreign one', async () => {
    const { ca } = filesOf(own)
    for (const tls of [{ ca }, { ...filesOf(foreign), ca }]) {
      expect(await failureOf(open(tls))).to.include({ code: 'CONNECTION', effect: 'none' })
    }
  })
})
