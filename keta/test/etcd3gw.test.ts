/** etcd3gw, Python's client of the JSON gateway, against Keta and a real etcd: the same program, the same output. */
import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ensureEtcd, startEtcd } from '../../test-servers/etcd.ts'
import { startKeta } from '../../test-servers/keta.ts'
import { ensurePythonClient } from '../../test-servers/python.ts'
import { provideOrSkip, type TestServer } from '../../test-servers/server.ts'

const run = promisify(execFile)

const PROGRAM = `
import sys, threading
from etcd3gw.client import Etcd3Client

host, port = sys.argv[1].split(':')
client = Etcd3Client(host=host, port=int(port), timeout=10)
print(client.api_path)
print(client.put('k', 'v1'), client.get('k'), client.put('k', b'\\x00\\xff'), client.get('k'))
print(client.create('k', 'x'), client.create('new', 'y'))
print(client.replace('new', 'y', 'z'), client.replace('new', 'y', 'z'))
for i in range(5):
    client.put('p/%d' % i, str(i))
found = client.get_prefix('p/', sort_order='descend', sort_target='key')
print([(value, kv['key'], kv['version']) for value, kv in found])
print(client.delete('p/1'), client.delete('p/1'), client.delete_prefix('p/'), client.get_all() != [])
lease = client.lease(ttl=60)
client.put('leased', 'x', lease=lease)
print(59 <= lease.ttl() <= 60, lease.keys(), lease.refresh())
lease.revoke()
print(client.get('leased'), lease.ttl())
with client.lock('lock', ttl=30) as lock:
    print(lock.is_acquired())
    print(client.lock('lock', ttl=30).acquire())
events, cancel = client.watch_prefix('w/')
threading.Timer(0.2, lambda: [client.put('w/1', 'a'), client.put('w/2', 'b'), client.delete('w/1')]).start()
for count in range(3):
    event = next(events)
    print(event.get('type', 'PUT'), event['kv']['key'], event['kv'].get('value'))
cancel()
try:
    client.transaction({'compare': [{'key': 'x'}], 'success': [{'request_put': {'key': ''}}], 'failure': []})
except Exception as error:
    print(type(error).__name__, error)
print(sorted(client.status().keys()), len(client.members()))
`

describe('etcd3gw', function () {
  this.timeout(120_000)
  let servers: readonly TestServer[] = []

  afterEach(async () => {
    await Promise.all(servers.map((server) => server.stop()))
    servers = []
  })

  it('does with Keta what it does with etcd', async function () {
    const python = await provideOrSkip(this, ensurePythonClient)
    await provideOrSkip(this, ensureEtcd)
    servers = await Promise.all([startEtcd({ fsync: false }), startKeta()])
    const [etcd, keta] = await Promise.all(
      servers.map(async ({ endpoint }) => (await run(python, ['-c', PROGRAM, endpoint], { timeout: 60_000 })).stdout),
    )
    expect(keta?.split('\n')).to.deep.equal(etcd?.split('\n'))
    expect(keta?.split('\n')).to.have.length.above(14)
  })
})
