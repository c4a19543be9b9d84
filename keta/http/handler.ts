/** Serves whatever comes over HTTP and is not gRPC: health, version, metrics, and the JSON gateway. */
import type { IncomingMessage, ServerResponse } from 'node:http'

import { type AccessRules, admitted } from './access.ts'
import type { Gateway } from './gateway/gateway.ts'
import type { Health } from './health.ts'
import { send, sendError, sendNotAllowed } from './responses.ts'

export interface HttpParts {
  readonly access: AccessRules
  readonly health: Health
  /** etcd's version whose behaviour this is: "3.6.16". */
  readonly version: string
  /** The page of metrics. */
  readonly metrics: () => string
  /** 'metrics': only metrics and health, for anybody, as on etcd's --listen-metrics-urls. */
  readonly serves: 'all' | 'metrics'
  readonly gateway?: Gateway
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Prometheus' text format. */
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores'

export function httpHandler(parts: HttpParts): Handler {
  const version = versionJson(parts.version)
  return (request, response) => {
    const { pathname, searchParams } = locationOf(request)
    if (parts.serves === 'all' && !admitted(request, response, parts.access)) return
    const path = pathname.replace(/^\/v3beta\//, '/v3/')
    const clean = cleaned(path)
    if (clean !== path) redirect(response, clean)
    else if (parts.health.handle(path, searchParams, request, response)) return
    else if (path === '/metrics') send(response, 200, METRICS_TYPE, parts.metrics())
    else if (path.startsWith('/v3/') && parts.gateway !== undefined) parts.gateway.serve(path, request, response)
    else if (path !== '/version' || parts.serves === 'metrics') sendError(response, 404, '404 page not found')
    else if (request.method === 'GET') send(response, 200, 'application/json', version)
    else sendNotAllowed(response)
  }
}

function versionJson(version: string): string {
  const clusterVersion = version.replace(/\.\d+$/, '.0')
  return JSON.stringify({ etcdserver: version, etcdcluster: clusterVersion, storage: clusterVersion })
}

/** The path unescaped, as Go routes by it. */
function locationOf(request: IncomingMessage): { readonly pathname: string; readonly searchParams: URLSearchParams } {
  const url = request.url ?? '/'
  const [, raw = '', query = ''] = /^(?:https?:\/\/[^/?#]*)?([^?]*)\??(.*)$/s.exec(url) ?? []
  try {
    return { pathname: decodeURIComponent(raw), searchParams: new URLSearchParams(query) }
  } catch {
    return { pathname: raw, searchParams: new URLSearchParams(query) }
  }
}

/** Without empty, "." and ".." parts: Go sends its clients there. */
function cleaned(path: string): string {
  if (path === '/v3') return '/v3/'
  if (!/\/\/|\/\.{1,2}(?:\/|$)/.test(path)) return path
  const kept: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') kept.pop()
    else if (part !== '' && part !== '.') kept.push(part)
  }
  return `/${kept.join('/')}${path.endsWith('/') && kept.length > 0 ? '/' : ''}`
}

function redirect(response: ServerResponse, path: string): void {
  response.writeHead(307, { Location: encodeURI(path), 'Content-Length': 0 })
  response.end()
}
