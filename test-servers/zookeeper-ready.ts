/** What a ZooKeeper server says of itself to anybody who asks at its client port. */
import { connect } from 'node:net'

/** 'listening': it answers, but has no majority to serve with. */
export type ZooKeeperMode = 'standalone' | 'leader' | 'follower' | 'listening' | 'silent'

/** A connection may be accepted during the start and never answered. */
const ANSWER_MS = 500

/** @param endpoint 'host:port' */
export async function modeOf(endpoint: string): Promise<ZooKeeperMode> {
  const answer = await ask(endpoint, 'srvr')
  const mode = /^Mode: (standalone|leader|follower)$/m.exec(answer)?.[1]
  return (mode as ZooKeeperMode | undefined) ?? (answer === '' ? 'silent' : 'listening')
}

/** @returns what it has said until it closed the connection or the time was up */
function ask(endpoint: string, command: string): Promise<string> {
  const [host = '', port = '0'] = endpoint.split(':')
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(Number(port), host, () => socket.write(command))
    const timer = setTimeout(() => socket.destroy(), ANSWER_MS)
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => (answer += text))
    // the close that follows it says as much
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(answer)
    })
  })
}
