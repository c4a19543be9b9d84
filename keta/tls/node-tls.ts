/** All of TLS that a node needs: for its clients, and for its links to other nodes. */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { isUnspecified } from '../config/client-urls.ts'
import { ConfigurationError } from '../config/configuration-error.ts'
import { readWholeFile } from '../config/files.ts'
import type { Config } from '../config/options.ts'
import { readTlsFiles, type TlsFiles, tlsFilePaths } from '../config/tls-files.ts'
import { requiresClientCertificates, requiresNodeCertificates } from '../config/tls-rules.ts'
import type { Logger } from '../observe/logger.ts'
import type { LinkTls } from '../peer/link-tls.ts'
import type { ServerTls } from '../transport/front/server-tls.ts'
import { Reloading } from './reloading.ts'
import { selfSignedFiles } from './self-signed.ts'
import { createServerTls } from './server-tls.ts'

export interface NodeTls {
  /** undefined: no certificate is configured, and no address needs one. */
  readonly server: ServerTls | undefined
  readonly link: () => LinkTls
  /** Whether only who has the certificate of a node is answered as a node. */
  readonly nodesHaveCertificates: boolean
}

/**
 * Reads the files, and makes the certificate of --auto-tls if that is missing. From then on changed files are read
 * again when the next connection comes.
 * @throws ConfigurationError if a file is not what it must be
 */
export function openTls(given: Config, dataDir: string, logger: Logger): NodeTls {
  const config = withOwnCertificate(given, dataDir, logger)
  const files = new Reloading<TlsFiles>({
    paths: tlsFilePaths(config),
    load: () => {
      const { files: read, problems } = readTlsFiles(config, readWholeFile)
      if (read !== undefined) return read
      throw new ConfigurationError(problems.map(({ key, problem }) => `${key}: ${problem}`).join('\n'))
    },
    onReloaded: () => logger.info('took over changed TLS files'),
    onFailure: (error) =>
      logger.error('changed TLS files are not usable; those read before stay in force', { error: textOf(error) }),
  })
  const nodesHaveCertificates = requiresNodeCertificates(config)
  return {
    server: config.certFile === '' ? undefined : serverTls(config, files, logger),
    link: () => {
      const { nodeIdentity, nodeAuthorities, ciphers, minVersion, maxVersion } = files.current()
      return {
        ...nodeIdentity,
        ...(nodeAuthorities.length === 0 ? {} : { ca: nodeAuthorities.map(String) }),
        ...(ciphers === undefined ? {} : { ciphers }),
        minVersion,
        maxVersion,
        verifies: !config.peerAutoTls,
      }
    },
    nodesHaveCertificates,
  }
}

function serverTls(config: Config, files: Reloading<TlsFiles>, logger: Logger): ServerTls {
  return createServerTls({
    files: () => files.current(),
    policy: {
      requiresClientCertificates: requiresClientCertificates(config),
      namesClients: config.clientCertAuth === true,
      clientHostnames: config.clientCertAllowedHostname,
      knowsNodes: requiresNodeCertificates(config),
      nodeNames: config.peerCertAllowedCn,
      nodeHostnames: config.peerCertAllowedHostname,
    },
    onRefused: (client, reason) => logger.warn('refused a connection', { client, reason }),
  })
}

function withOwnCertificate(config: Config, dataDir: string, logger: Logger): Config {
  const listening = [...config.listenClientUrls, ...config.listenClientHttpUrls, ...config.listenMetricsUrls]
  const isNeeded = config.autoTls && config.certFile === '' && listening.some(({ scheme }) => scheme === 'https')
  if (!isNeeded) return config
  const urls = [...listening, ...config.advertiseClientUrls]
  const hosts = urls.flatMap(({ host }) => (isUnspecified(host) ? [host, config.hostName || hostname()] : [host]))
  const files = selfSignedFiles(join(dataDir, 'fixtures', 'client'), {
    hosts: [...new Set(hosts)],
    validityYears: config.selfSignedCertValidity,
    now: new Date(),
  })
  const { certFile, keyFile, isOld } = files
  if (!isOld) logger.warn('made a certificate that nobody can verify', { 'cert-file': certFile })
  return { ...config, certFile, keyFile, certPassword: '', keyPassword: '' }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
