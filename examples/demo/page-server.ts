/** Serves the page, and the state to it as server-sent events: the present one first, then each new one. */
import { createServer, type Server, type ServerResponse } from 'node:http'
import { readFile } from 'node:fs/promises'
import type { PluginLocator } from 'keta/spi'
import { ClusterWatch } from './cluster-watch.ts'

const PAGE = new URL('./page.html', import.meta.url)
const HOST = '127.0.0.1'

export class PageServer {
  readonly #watch: ClusterWatch
  readonly #server: Server
  readonly #readers = new Set<ServerResponse>()
  #isTold = true

  constructor(plugin: PluginLocator) {
    this.#watch = new ClusterWatch(plugin, () => this.#tellSoon())
    this.#server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost')
      if (pathname === '/ui/events') this.#follow(response)
      else if (pathname === '/ui') this.#servePage(response)
      else response.writeHead(404).end()
    })
  }

  /** @param port 0: any that is free. @returns the page's URL. */
  async listen(port: number): Promise<string> {
    await this.#watch.start()
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, HOST, resolve)
    })
    const address = this.#server.address()
    return `http://${HOST}:${typeof address === 'object' && address !== null ? address.port : port}/ui`
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    await this.#watch.close()
    for (const reader of this.#readers) reader.end()
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
  }

  #servePage(response: ServerResponse): void {
    readFile(PAGE).then(
      (page) => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page),
      () => response.writeHead(500).end(),
    )
  }

  #follow(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    this.#readers.add(response)
    response.on('close', () => this.#readers.delete(response))
    response.write(this.#event())
  }

  /** What changes in one turn is told once. */
  #tellSoon(): void {
    if (!this.#isTold) return
    this.#isTold = false
    setImmediate(() => {
      this.#isTold = true
      for (const reader of this.#readers) reader.write(this.#event())
    })
  }

  #event(): string {
    return `data: ${JSON.stringify(this.#watch.state)}\n\n`
  }
}
