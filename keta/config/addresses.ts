/** From the addresses that are bound to the URLs that are shown and advertised. */
import { clientUrl, isUnspecified } from './client-urls.ts'
import type { Config } from './options.ts'

export interface BoundAddress {
  readonly host: string
  readonly port: number
  readonly secure?: boolean
}

export function listeningUrls(bound: readonly BoundAddress[]): readonly string[] {
  return bound.map(({ host, port, secure }) => clientUrl(schemeOf(secure), host, port).href)
}

/** What clients are told: what was configured, or the bound addresses with a host that others can reach. */
export function advertisedUrls(
  { advertiseClientUrls, hostName }: Pick<Config, 'advertiseClientUrls' | 'hostName'>,
  bound: readonly BoundAddress[],
  machineName: string,
): readonly string[] {
  if (advertiseClientUrls.length > 0) return advertiseClientUrls.map(({ href }) => href)
  const hostOf = (host: string): string => hostName || (isUnspecified(host) ? machineName : host)
  return [...new Set(bound.map(({ host, port, secure }) => clientUrl(schemeOf(secure), hostOf(host), port).href))]
}

function schemeOf(secure: boolean | undefined): 'http' | 'https' {
  return secure === true ? 'https' : 'http'
}
