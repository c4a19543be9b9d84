/** Who may call over HTTP: CORS, and the host names of --host-whitelist, which keep DNS rebinding away. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'

import { sendError } from './responses.ts'

export interface AccessRules {
  /** Origins that browsers may call from; "*" is any, and so is none. */
  readonly cors: readonly string[]
  /** Host names that plain HTTP requests may give; "*" is any, and so is none. */
  readonly hostWhitelist: readonly string[]
}

/** Sets the CORS headers. False: the request has been answered. */
export function admitted(request: IncomingMessage, response: ServerResponse, rules: AccessRules): boolean {
  if (!isKnownHost(request, rules)) {
    sendError(response, 421, unrecognizedHost(hostOf(request)))
    return false
  }
  const { origin = '' } = request.headers
  if (isAllowed(rules.cors, '*')) allowOrigin(response, '*')
  else if (isAllowed(rules.cors, origin)) allowOrigin(response, origin)
  if (request.method !== 'OPTIONS') return true
  response.writeHead(200, { 'Content-Length': 0 })
  response.end()
  return false
}

/** Whether the server goes by the name that the request gives it; over TLS its certificate answers for that. */
export function isKnownHost(request: IncomingMessage, { hostWhitelist }: Pick<AccessRules, 'hostWhitelist'>): boolean {
  const isSecure = (request.socket as Partial<TLSSocket>).encrypted === true
  return isSecure || isAllowed(hostWhitelist, hostOf(request))
}

function isAllowed(list: readonly string[], name: string): boolean {
  return list.length === 0 || list.includes('*') || list.includes(name)
}

/** Without its port. Over HTTP/2 it has another name. */
function hostOf({ headers }: IncomingMessage): string {
  const authority = headers[':authority']
  const host = typeof authority === 'string' ? authority : (headers.host ?? '')
  const [, address, name] = /^(?:\[([^\]]*)\]|([^:]*)):[0-9]*$/.exec(host) ?? []
  return address ?? name ?? host
}

function allowOrigin(response: ServerResponse, origin: string): void {
  response.setHeader('Access-Control-Allow-Methods', 'POST, GET, OPTIONS, PUT, DELETE')
  response.setHeader('Access-Control-Allow-Origin', origin)
  response.setHeader('Access-Control-Allow-Headers', 'accept, content-type, authorization')
}

function unrecognizedHost(host: string): string {
  return (
    `this server does not go by the name of the Host header: ${JSON.stringify(host)}. ` +
    'Call it over TLS, or name the host in --host-whitelist. (A web page could reach it otherwise: DNS rebinding.)'
  )
}
