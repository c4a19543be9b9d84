/** The page: what it is told, and what a browser makes of it. */
import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import { type PluginLocator, silentLogger } from 'keta/spi'
import { loadPlugin } from 'keta/spi/node'
import { encodeState, encodeTopic } from '../broker/core/metadata.ts'
import { statePath, topicPath } from '../broker/core/paths.ts'
import { Browser, findBrowser } from './browser.fixture.ts'
import { PageServer } from './page-server.ts'

const browser = await findBrowser()

describe('the page of the demo', function () {
  this.timeout(60_000)
  let plugin: PluginLocator
  let server: PageServer
  let url: string

  beforeEach(async () => {
    const host = { logger: silentLogger, config: { 'plugin.memory.name': `page ${Math.random()}` } }
    plugin = await loadPlugin({ 'plugin.locator.classname': 'memory' }, host)
    await plugin.getGroupMembership('brokers').join('0', '{}')
    await plugin.getGroupMembership('brokers').join('1', '{}')
    await plugin.getLeaderElection('controller').nominate('0')
    const storage = plugin.getStorage()
    await storage.put('/controller_epoch', '1')
    const partitions = new Map([[0, [0, 1]]])
    await storage.put(topicPath('orders'), encodeTopic({ id: 'x', partitions, adding: new Map(), removing: new Map() }))
    await storage.put(
      statePath('orders', 0),
      encodeState({ controllerEpoch: 1, leader: 0, leaderEpoch: 0, isr: [0, 1] }),
    )
    server = new PageServer(plugin)
    url = await server.listen(0)
  })
  afterEach(async () => {
    await server.close()
    await plugin.shutdown()
  })

  /** Broker 0 dies. */
  async function change(): Promise<void> {
    await plugin.getStorage().update('/controller_epoch', '2')
    const state = { controllerEpoch: 2, leader: 1, leaderEpoch: 1, isr: [1] }
    await plugin.getStorage().update(statePath('orders', 0), encodeState(state))
    await plugin.getGroupMembership('brokers').leave('0')
    await plugin.getLeaderElection('controller').resign('0')
    await plugin.getLeaderElection('controller').nominate('1')
  }

  it('is told the state, and each new one', async () => {
    const page = await fetch(url)
    expect(await page.text()).to.include('EventSource')
    expect((await fetch(new URL('/nothing', url))).status).to.equal(404)
    const { body } = await fetch(`${url}/events`)
    const partition = { topic: 'orders', partition: 0, replicas: [0, 1] }
    const after = {
      ...{ brokers: [1], controller: 1, controllerEpoch: '2' },
      partitions: [{ ...partition, leader: 1, leaderEpoch: 1, isr: [1] }],
    }
    const seen: unknown[] = []
    let text = ''
    for await (const bytes of body ?? expect.fail('no events')) {
      text += new TextDecoder().decode(bytes as Uint8Array)
      const events = text.split('\n\n')
      text = events.pop() ?? ''
      seen.push(...events.map((event): unknown => JSON.parse(event.replace('data: ', ''))))
      if (seen.length === 1) await change()
      if (JSON.stringify(seen.at(-1)) === JSON.stringify(after)) break
    }
    expect(seen[0]).to.deep.equal({
      ...{ brokers: [0, 1], controller: 0, controllerEpoch: '1' },
      partitions: [{ ...partition, leader: 0, leaderEpoch: 0, isr: [0, 1] }],
    })
  })

  if (browser === undefined) console.log('      (no browser here: the page is not opened)')
  else {
    it(`changes in ${browser} while it is open`, async () => {
      await using opened = new Browser(browser)
      await opened.open(url)
      const shows = async (...parts: readonly string[]) => {
        const end = performance.now() + 20_000
        for (;;) {
          const body = await opened.evaluate('document.body.innerHTML')
          if (parts.every((part) => body.includes(part))) return
          if (performance.now() > end) expect(body).to.include.members([...parts])
          await sleep(50)
        }
      }
      await shows(
        '<li data-broker="0" class="there"><b>Broker 0</b><span class="controller">controller</span></li>',
        '<tr data-partition="orders-0"><td>orders-0</td><td>0</td><td>0</td>',
        '<b id="epoch">1</b>',
      )
      await change()
      await shows(
        '<li data-broker="0" class="gone"><b>Broker 0</b><span class="gone">gone</span></li>',
        '<b>Broker 1</b><span class="controller">controller</span>',
        '<span class="replica missing">0</span><span class="replica leads">1</span>',
        '<b id="epoch">2</b>',
      )
      expect(await opened.evaluate("document.getElementById('link').textContent")).to.equal('live')
      const loaded = await opened.evaluate("performance.getEntriesByType('resource').map(({ name }) => name).join()")
      expect(loaded, 'what the page has loaded').to.match(/^http:\/\/127\.0\.0\.1:\d+\/ui\/events$|^$/)
      await server.close()
      await shows('not connected')
    })
  }
})
