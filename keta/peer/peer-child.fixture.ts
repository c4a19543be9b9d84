/**
 * A process for the system tests of the link. `answer`: answers pings, and nothing else, until it is killed.
 * `ask URL MS`: asks once, waits for the answer for so long, closes its link, and should end by itself.
 */
import { answering, never, SECRET } from './pair.fixture.ts'
import { createPeers } from './peers.ts'

const [, , role, url = '', timeoutMs] = process.argv
if (role === 'answer') {
  const node = await answering((request) => (request.kind === 'ping' ? { kind: 'done' } : never))
  process.send?.(node.url)
} else {
  const link = createPeers({ secret: SECRET }).connect([url], () => undefined)
  const outcome = await link.request({ kind: 'ping' }, Number(timeoutMs)).then(
    ({ kind }) => kind,
    (error: unknown) => String(error),
  )
  link.close()
  process.send?.(outcome)
  process.disconnect()
}
