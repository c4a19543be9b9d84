/** Client URLs: `scheme://host:port` and nothing else, as etcd wants them. */
import { InvalidValue } from './invalid-value.ts'

export interface ClientUrl {
  readonly scheme: 'http' | 'https'
  /** Name or address, without the brackets of an IPv6 literal. */
  readonly host: string
  readonly port: number
  /** `scheme://host:port`, without a trailing slash. */
  readonly href: string
}

const URL_PARTS = /^([a-z][a-z0-9+.-]*):\/\/(\[[0-9a-fA-F:.]+\]|[^\s:/?#@[\]]*)(?::(\d*))?(.*)$/i

/** @throws InvalidValue naming the URL and what is wrong with it. */
export function parseUrls(list: string): readonly ClientUrl[] {
  const urls = list.split(',').map((text) => parseUrl(text.trim()))
  for (const [index, url] of urls.entries()) {
    if (urls.findIndex((other) => other.href === url.href) !== index)
      throw new InvalidValue(`${url.href} stands there twice`)
  }
  return urls
}

/** The URL of an address; IPv6 literals get their brackets. */
export function clientUrl(scheme: 'http' | 'https', host: string, port: number): ClientUrl {
  return { scheme, host, port, href: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}` }
}

/** Whether a server that listens on `host` listens on every interface. */
export function isUnspecified(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/** Whether only this machine can reach a server that listens on `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host)
}

function parseUrl(text: string): ClientUrl {
  const parts = URL_PARTS.exec(text)
  if (parts === null) throw new InvalidValue(text === '' ? 'an element of the list is empty' : `${text} is not a URL`)
  const [, scheme = '', bracketedHost = '', port, rest = ''] = parts
  const lowerScheme = scheme.toLowerCase()
  if (lowerScheme !== 'http' && lowerScheme !== 'https')
    throw new InvalidValue(`${text}: the scheme ${scheme} is unknown`)
  if (bracketedHost === '') throw new InvalidValue(`${text}: the host is missing`)
  if (port === undefined || port === '') throw new InvalidValue(`${text}: the port is missing`)
  if (Number(port) > 65535) throw new InvalidValue(`${text}: the port is greater than 65535`)
  if (rest !== '' && rest !== '/') throw new InvalidValue(`${text}: nothing may follow the port`)
  return clientUrl(lowerScheme, bracketedHost.replace(/^\[|\]$/g, ''), Number(port))
}
