/** What the values of the options about TLS have to do with each other. */
import type { Config, OptionKey } from './options.ts'
import { type Finding, ofKafka, problem, type Rule, rule, warning, type Wording } from './rule.ts'

/** What says nothing without another option. */
const NEEDING: readonly (readonly [TextKey, TextKey])[] = [
  ['keyFile', 'certFile'],
  ['certPassword', 'certFile'],
  ['keyPassword', 'certFile'],
  ['trustedCaPassword', 'trustedCaFile'],
]

type TextKey = 'keyFile' | 'certFile' | 'certPassword' | 'keyPassword' | 'trustedCaPassword' | 'trustedCaFile'

/** Whether clients without a certificate are refused. */
export function requiresClientCertificates(config: Pick<Config, 'clientCertAuth' | 'trustedCaFile'>): boolean {
  return config.clientCertAuth === true || (config.clientCertAuth === false && config.trustedCaFile !== '')
}

/** Whether only who has the certificate of a node is answered as a node. */
export function requiresNodeCertificates(
  config: Pick<Config, 'kafkaBootstrapServers' | 'peerClientCertAuth' | 'peerTrustedCaFile'>,
): boolean {
  return config.kafkaBootstrapServers.length > 0 && (config.peerClientCertAuth || config.peerTrustedCaFile !== '')
}

export const TLS_RULES: readonly Rule[] = [
  rule(['keyFile', 'certFile', 'certPassword', 'keyPassword', 'trustedCaPassword', 'trustedCaFile'], missing),
  rule(
    [
      ...(['listenClientUrls', 'listenClientHttpUrls', 'listenMetricsUrls'] as const),
      ...(['certFile', 'autoTls', 'clientCertAuth', 'trustedCaFile'] as const),
    ],
    schemeFindings,
  ),
  rule(['listenClientUrls', 'listenClientHttpUrls'], ({ listenClientUrls, listenClientHttpUrls }, { at, name }) => {
    const both = listenClientHttpUrls.find(
      (url) => url.port !== 0 && listenClientUrls.some(({ host, port }) => host === url.host && port === url.port),
    )
    if (both === undefined) return []
    return problem(`${at('listenClientHttpUrls')}: ${both.href}: ${name('listenClientUrls')} has the same address`)
  }),
  rule(['autoTls', 'certFile'], ({ autoTls, certFile }, { at, name }) =>
    autoTls && certFile !== '' ? warning(`no effect: ${at('autoTls')}: ${name('certFile')} is given`) : [],
  ),
  rule(['clientCertAuth', 'trustedCaFile'], ({ clientCertAuth, trustedCaFile }, { at, name }) =>
    clientCertAuth === true && trustedCaFile === ''
      ? warning(
          `${at('clientCertAuth')}: certificates of all authorities that Node.js trusts are taken, because ` +
            `${name('trustedCaFile')} is missing`,
        )
      : [],
  ),
  rule(
    ['clientCertAuth', 'trustedCaFile', 'clientCrlFile', 'clientCertAllowedHostname'],
    (config, { at, name }): readonly Finding[] => {
      if (requiresClientCertificates(config)) return []
      const idle = (['clientCrlFile', 'clientCertAllowedHostname'] as const).filter((key) => config[key].length > 0)
      return idle.flatMap((key) =>
        warning(
          `no effect: ${at(key)}: it has a meaning only with ${name('clientCertAuth')} or ${name('trustedCaFile')}`,
        ),
      )
    },
  ),
  rule(['tlsMinVersion', 'tlsMaxVersion', 'cipherSuites'], (config, { at, name }) => {
    const { tlsMinVersion: min, tlsMaxVersion: max } = config
    if (min === 'TLS1.3' && max === 'TLS1.2')
      return problem(`${at('tlsMinVersion')}: it is higher than ${name('tlsMaxVersion')}`)
    return min === 'TLS1.3' && config.cipherSuites.length > 0
      ? problem(`${at('cipherSuites')}: those of TLS 1.3 cannot be chosen, and ${name('tlsMinVersion')} is TLS1.3`)
      : []
  }),
  ofKafka(['peerKeyFile', 'peerCertFile'], ({ peerKeyFile, peerCertFile }, { at, name }) =>
    peerKeyFile !== '' && peerCertFile === ''
      ? problem(`${at('peerKeyFile')}: ${name('peerCertFile')} is missing`)
      : [],
  ),
  ofKafka(
    [
      ...(['peerClientCertAuth', 'peerTrustedCaFile', 'trustedCaFile', 'peerCertAllowedCn'] as const),
      ...([
        'peerCertAllowedHostname',
        'peerCrlFile',
        'advertiseClientUrls',
        'listenClientUrls',
        'clientCertAuth',
      ] as const),
    ],
    nodeFindings,
  ),
]

function missing(config: Pick<Config, TextKey>, { at, name }: Wording): readonly Finding[] {
  return NEEDING.filter(([key, needed]) => config[key] !== '' && config[needed] === '').flatMap(([key, needed]) =>
    problem(`${at(key)}: ${name(needed)} is missing`),
  )
}

type SchemeKey =
  | 'listenClientUrls'
  | 'listenClientHttpUrls'
  | 'listenMetricsUrls'
  | 'certFile'
  | 'autoTls'
  | 'clientCertAuth'
  | 'trustedCaFile'

function schemeFindings(config: Pick<Config, SchemeKey>, { at, name }: Wording): readonly Finding[] {
  const findings: Finding[] = []
  const meant = (['certFile', 'autoTls', 'trustedCaFile', 'clientCertAuth'] as const).filter(
    (key) => config[key] === true || (typeof config[key] === 'string' && config[key] !== '' && config[key] !== 'none'),
  )
  for (const key of ['listenClientUrls', 'listenClientHttpUrls', 'listenMetricsUrls'] as const) {
    const secure = config[key].find(({ scheme }) => scheme === 'https')
    const plain = config[key].find(({ scheme }) => scheme === 'http')
    if (secure !== undefined && config.certFile === '' && !config.autoTls) {
      const needed = `${name('certFile')} and ${name('keyFile')}, or ${name('autoTls')}`
      findings.push(...problem(`${at(key)}: ${secure.href}: a certificate is needed: ${needed}`))
    }
    // who sees no more than metrics may well see them in plain text
    if (plain !== undefined && meant.length > 0 && key !== 'listenMetricsUrls') {
      const idle = meant.map(name).join(', ')
      findings.push(...warning(`${at(key)}: ${plain.href}: plain text is served there, without ${idle}`))
    }
  }
  return findings
}

type NodeKey = Extract<
  OptionKey,
  | `peer${'ClientCertAuth' | 'TrustedCaFile' | 'CertAllowedCn' | 'CertAllowedHostname' | 'CrlFile'}`
  | 'trustedCaFile'
  | 'clientCertAuth'
  | 'advertiseClientUrls'
  | 'listenClientUrls'
  | 'kafkaBootstrapServers'
>

function nodeFindings(config: Pick<Config, NodeKey>, { at, name }: Wording): readonly Finding[] {
  if (!requiresNodeCertificates(config)) {
    const idle = (['peerCertAllowedCn', 'peerCertAllowedHostname', 'peerCrlFile'] as const).filter(
      (key) => config[key].length > 0,
    )
    return idle.flatMap((key) =>
      problem(`${at(key)}: ${name('peerClientCertAuth')} or ${name('peerTrustedCaFile')} is missing`),
    )
  }
  const cause = config.peerClientCertAuth ? 'peerClientCertAuth' : 'peerTrustedCaFile'
  if (config.peerTrustedCaFile === '' && config.trustedCaFile === '') {
    return problem(`${at('peerClientCertAuth')}: ${name('peerTrustedCaFile')} is missing`)
  }
  if (config.clientCertAuth === true && config.trustedCaFile === '') {
    return problem(`${at('clientCertAuth')}: ${name('trustedCaFile')} is missing, and ${name(cause)} is given`)
  }
  const told = config.advertiseClientUrls.length > 0 ? 'advertiseClientUrls' : 'listenClientUrls'
  const plain = config[told].find(({ scheme }) => scheme === 'http')
  if (plain === undefined) return []
  return problem(`${at(told)}: ${plain.href}: nodes cannot show a certificate there, and ${name(cause)} wants one`)
}
