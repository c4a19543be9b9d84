import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type PluginHost, silentLogger } from '../../spi/index.ts'
import { KetaPluginLocator } from './index.ts'

describe('keta within the broker’s process', function () {
  this.timeout(30_000)
  let directory: string
  const host = (config: Readonly<Record<string, string>>): PluginHost => ({
    logger: silentLogger,
    sessionTimeoutMs: 2000,
    config: { 'plugin.keta.embedded': 'true', 'plugin.keta.listen': 'http://127.0.0.1:0', ...config },
  })
  const problemsOf = async (config: Readonly<Record<string, string>>): Promise<readonly string[]> => {
    const locator = new KetaPluginLocator()
    try {
      await locator.startup('plugin.properties', host(config))
    } catch (error) {
      return (error as { problems?: readonly string[] }).problems ?? []
    } finally {
      await locator.shutdown()
    }
    return []
  }

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keta-embedded-'))
  })
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true })
  })

  it('serves its own plugin, ends with it, and has kept the data when it is back', async () => {
    const config = { 'plugin.keta.data.dir': directory, 'plugin.keta.server.options': 'snapshot-log-bytes=1MiB' }
    for (const round of ['first', 'second']) {
      await using locator = new KetaPluginLocator()
      await locator.startup('plugin.properties', host(config))
      const storage = locator.getStorage()
      if (round === 'first') await storage.put('/a', 'kept')
      expect(await storage.fetch('/a')).to.equal('kept')
      expect(await locator.getLeaderElection('controller').nominate(round)).to.equal(true)
    }
  })

  it('refuses a configuration with everything that is wrong with it', async () => {
    expect(
      await problemsOf({ 'plugin.keta.endpoints': 'a:1', 'plugin.keta.server.options': 'nonsense' }),
    ).to.deep.equal([
      'plugin.keta.endpoints and plugin.keta.embedded exclude each other',
      'plugin.keta.data.dir must be given for an embedded server',
      'plugin.keta.server.options: nonsense is not name=value',
    ])
    expect(await problemsOf({ 'plugin.keta.embedded': 'false' })).to.deep.equal([
      'plugin.keta.endpoints must name a server, or plugin.keta.embedded be true',
    ])
    const unknown = { 'plugin.keta.data.dir': directory, 'plugin.keta.server.options': 'no-such=1,max-txn-ops=many' }
    expect((await problemsOf(unknown)).join())
      .to.include('noSuch')
      .and.include('maxTxnOps')
  })

  it('says that another process has its data', async () => {
    const config = { 'plugin.keta.data.dir': directory }
    await using locator = new KetaPluginLocator()
    await locator.startup('plugin.properties', host(config))
    const [problem] = await problemsOf(config)
    expect(problem).to.include('the embedded server does not start')
  })
})
