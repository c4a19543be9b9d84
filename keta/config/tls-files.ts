/** Certificates, keys and lists from the files that the options about TLS name. */
import { X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureVersion } from 'node:tls'
import { type ReadFile, readFailure } from './files.ts'
import { InvalidValue } from './invalid-value.ts'
import type { OptionProblem } from './kafka-tls.ts'
import { type Identity, readCertificates, readIdentity } from './key-stores/key-store.ts'
import { readRevokedSerials } from './key-stores/revocation-list.ts'
import type { Config } from './options.ts'
import { openSslCiphers, secureVersion } from './tls-values.ts'

/** All that the files say. What is not configured is empty. */
export interface TlsFiles {
  /** What this server shows to its clients. */
  readonly identity?: Identity
  /** What it shows to other nodes. */
  readonly nodeIdentity?: Identity
  readonly clientAuthorities: readonly X509Certificate[]
  readonly nodeAuthorities: readonly X509Certificate[]
  /** Serial numbers, as `X509Certificate.serialNumber` writes them. */
  readonly revokedClients: ReadonlySet<string>
  readonly revokedNodes: ReadonlySet<string>
  readonly ciphers?: string
  readonly minVersion: SecureVersion
  readonly maxVersion: SecureVersion
}

type FileKey = 'certFile' | 'trustedCaFile' | 'clientCrlFile' | 'peerCertFile' | 'peerTrustedCaFile' | 'peerCrlFile'

const NONE: ReadonlySet<string> = new Set()

/** The files that `readTlsFiles` reads, to notice that one has changed. */
export function tlsFilePaths(given: Config): readonly string[] {
  const { certFile, keyFile, trustedCaFile, clientCrlFile, ...config } = withNodesThereAre(given)
  const { peerCertFile, peerKeyFile, peerTrustedCaFile, peerCrlFile } = config
  return [
    ...[certFile, keyFile, trustedCaFile, clientCrlFile],
    ...[peerCertFile, peerKeyFile, peerTrustedCaFile, peerCrlFile],
  ].filter((path) => path !== '')
}

/** No `files` if there are problems. */
export function readTlsFiles(
  given: Config,
  readFile: ReadFile,
): { readonly files?: TlsFiles; readonly problems: readonly OptionProblem[] } {
  const config = withNodesThereAre(given)
  const problems: OptionProblem[] = []

  function fromFile<T>(key: FileKey | 'keyFile' | 'peerKeyFile', use: (bytes: Buffer, path: string) => T) {
    const path = config[key]
    if (path === '') return undefined
    try {
      return use(readFile(path), path)
    } catch (error) {
      const reason = error instanceof InvalidValue ? error.message : readFailure(error)
      problems.push({ key, problem: `${path}: ${reason}` })
      return undefined
    }
  }

  function identityOf(certKey: 'certFile' | 'peerCertFile', keyKey: 'keyFile' | 'peerKeyFile'): Identity | undefined {
    const keyFile = fromFile(keyKey, (bytes) => bytes)
    if (config[keyKey] !== '' && keyFile === undefined) return undefined
    const isOwn = certKey === 'certFile'
    const passwords = isOwn
      ? { storePassword: config.certPassword, keyPassword: config.keyPassword }
      : { storePassword: '', keyPassword: '' }
    return fromFile(certKey, (bytes, path) => {
      const identity = readIdentity(path, bytes, { ...passwords, ...(keyFile === undefined ? {} : { keyFile }) })
      requireUsable(identity)
      return identity
    })
  }

  const authorities = (key: 'trustedCaFile' | 'peerTrustedCaFile', password: string): readonly X509Certificate[] =>
    fromFile(key, (bytes, path) => certificatesOf(readCertificates(path, bytes, password))) ?? []

  const identity = identityOf('certFile', 'keyFile')
  const nodeIdentity = identityOf('peerCertFile', 'peerKeyFile') ?? identity
  const clientAuthorities = authorities('trustedCaFile', config.trustedCaPassword)
  const nodeAuthorities = config.peerTrustedCaFile === '' ? clientAuthorities : authorities('peerTrustedCaFile', '')
  const revokedClients = fromFile('clientCrlFile', readRevokedSerials) ?? NONE
  const revokedNodes = fromFile('peerCrlFile', readRevokedSerials) ?? NONE
  if (problems.length > 0) return { problems }
  return {
    problems,
    files: {
      ...(identity === undefined ? {} : { identity }),
      ...(nodeIdentity === undefined ? {} : { nodeIdentity }),
      clientAuthorities,
      nodeAuthorities,
      revokedClients,
      revokedNodes,
      ...(config.cipherSuites.length === 0 ? {} : { ciphers: openSslCiphers(config.cipherSuites) }),
      minVersion: secureVersion(config.tlsMinVersion, 'TLSv1.2'),
      maxVersion: secureVersion(config.tlsMaxVersion, 'TLSv1.3'),
    },
  }
}

/** A node that has its log for itself has no others, whatever was configured for them at its predecessor. */
function withNodesThereAre(config: Config): Config {
  if (config.kafkaBootstrapServers.length > 0) return config
  return { ...config, peerCertFile: '', peerKeyFile: '', peerTrustedCaFile: '', peerCrlFile: '' }
}

/** Some keys can be read and not be used: RSA with less than 2048 bits, for instance. */
function requireUsable(identity: Identity): void {
  try {
    createSecureContext(identity)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw new InvalidValue(`TLS cannot be spoken with this certificate: ${text}`)
  }
}

function certificatesOf(pem: string): readonly X509Certificate[] {
  return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (one) => new X509Certificate(one),
  )
}
