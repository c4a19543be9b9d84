/** For tests: a handler behind a server of Node's own, and its client. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { HttpClient } from '../test/http-client.fixture.ts'

export interface ServedHttp {
  readonly server: Server
  readonly port: number
  readonly client: HttpClient
  close(): Promise<void>
}

export async function serveHttp(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<ServedHttp> {
  const server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = new HttpClient(`127.0.0.1:${port}`)
  return {
    server,
    port,
    client,
    async close() {
      client.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
