/** Whom the certificates of clients admit, and as what. */
import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { TlsFiles } from '../config/tls-files.ts'
import type { Admission, ServerTls, TlsMaterial } from '../transport/front/server-tls.ts'
import { chainOf, commonNameOf, isIssuedUnder, isValidFor } from './certificates.ts'

export interface TlsPolicy {
  /** Clients without a certificate are refused. */
  readonly requiresClientCertificates: boolean
  /** Its CN says who the client is. */
  readonly namesClients: boolean
  /** Empty: any. */
  readonly clientHostnames: readonly string[]
  /** Nodes have certificates, and are known by them. */
  readonly knowsNodes: boolean
  /** Empty: any. */
  readonly nodeNames: readonly string[]
  /** Empty: any. */
  readonly nodeHostnames: readonly string[]
}

export interface ServerTlsOptions {
  /** The files as they are now; the same object as long as they have not changed. */
  readonly files: () => TlsFiles
  readonly policy: TlsPolicy
  readonly onRefused: (client: string, reason: string) => void
}

export function createServerTls({ files, policy, onRefused }: ServerTlsOptions): ServerTls {
  let madeOf: TlsFiles | undefined
  let material: TlsMaterial | undefined
  return {
    current: () => {
      const now = files()
      if (material === undefined || madeOf !== now) material = materialOf(now, policy)
      madeOf = now
      return material
    },
    asksForCertificate: policy.requiresClientCertificates || policy.knowsNodes,
    admit: (socket) => admit(socket, files(), policy),
    onRefused,
  }
}

/** @throws Error if there is no certificate to show, which the configuration's check excludes. */
function materialOf(files: TlsFiles, policy: TlsPolicy): TlsMaterial {
  const { identity, ciphers, minVersion, maxVersion } = files
  if (identity === undefined) throw new Error('there is no certificate for this server')
  const authorities = [
    ...(policy.requiresClientCertificates ? files.clientAuthorities : []),
    ...(policy.knowsNodes ? files.nodeAuthorities : []),
  ]
  return {
    ...identity,
    // Any authority does for clients if none is named.
    ...(authorities.length === 0 || (policy.requiresClientCertificates && files.clientAuthorities.length === 0)
      ? {}
      : { ca: [...new Set(authorities.map(String))] }),
    ...(ciphers === undefined ? {} : { ciphers }),
    minVersion,
    maxVersion,
  }
}

function admit(socket: TLSSocket, files: TlsFiles, policy: TlsPolicy): Admission | { readonly refused: string } {
  const { requiresClientCertificates } = policy
  if (!requiresClientCertificates && !policy.knowsNodes) return {}
  const leaf = socket.getPeerX509Certificate()
  if (leaf === undefined) return requiresClientCertificates ? { refused: 'it has shown no certificate' } : {}
  if (!socket.authorized) {
    const reason = String(socket.authorizationError)
    return requiresClientCertificates ? { refused: `its certificate is not valid: ${reason}` } : {}
  }
  const chain = chainOf(leaf)
  const isNode = policy.knowsNodes && isCertificateOfNode(chain, files, policy)
  if (!requiresClientCertificates) return { isNode }
  const problem = clientProblem(chain, files, policy)
  if (problem === undefined) return { isNode, ...(policy.namesClients ? { commonName: commonNameOf(leaf) } : {}) }
  return isNode ? { isNode } : { refused: problem }
}

function isCertificateOfNode(chain: readonly X509Certificate[], files: TlsFiles, policy: TlsPolicy): boolean {
  const [leaf] = chain
  if (leaf === undefined || !isIssuedUnder(chain, files.nodeAuthorities)) return false
  if (revokedIn(chain, files.revokedNodes) !== undefined) return false
  const { nodeNames, nodeHostnames } = policy
  if (nodeNames.length > 0 && !nodeNames.includes(commonNameOf(leaf))) return false
  return nodeHostnames.length === 0 || nodeHostnames.some((host) => isValidFor(leaf, host))
}

function clientProblem(
  chain: readonly X509Certificate[],
  { clientAuthorities, revokedClients }: TlsFiles,
  { clientHostnames }: TlsPolicy,
): string | undefined {
  const [leaf] = chain
  if (clientAuthorities.length > 0 && !isIssuedUnder(chain, clientAuthorities)) {
    return 'its certificate is not of an authority for clients'
  }
  const serial = revokedIn(chain, revokedClients)
  if (serial !== undefined) return `its certificate with the serial number ${serial} is revoked`
  if (clientHostnames.length === 0) return undefined
  if (leaf !== undefined && clientHostnames.some((host) => isValidFor(leaf, host))) return undefined
  return 'its certificate is for none of the host names that are allowed'
}

function revokedIn(chain: readonly X509Certificate[], revoked: ReadonlySet<string>): string | undefined {
  return chain.find(({ serialNumber }) => revoked.has(serialNumber))?.serialNumber
}
