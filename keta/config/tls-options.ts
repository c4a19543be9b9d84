/** The part of the option table about TLS: with clients, and between the nodes of a cluster. */
import { option } from './option.ts'
import { cipherSuitesKind, clientCertAuthKind, namesKind, tlsVersionKind } from './tls-values.ts'
import { booleanKind, integerKind, textKind } from './values.ts'

const CLIENTS = 'TLS with clients'
const NODES = 'TLS between nodes'

const pathKind = textKind(/^[^\0]*$/, 'the path of a file')
const secretKind = textKind(/^[^\0\n]*$/, 'one line of text')

export const TLS_OPTIONS = {
  certFile: option({
    flag: 'cert-file',
    etcdKey: 'client-transport-security.cert-file',
    section: CLIENTS,
    kind: pathKind,
    default: '',
    help:
      "The server's certificate and those that lead from it to an authority: PEM, or a PKCS12 store with the key. " +
      'It is served at https:// URLs of --listen-client-urls.',
    sameAsEtcd: true,
    property: 'ssl.keystore.location',
  }),
  certPassword: option({
    flag: 'cert-password',
    section: CLIENTS,
    kind: secretKind,
    default: '',
    help: 'Password of --cert-file if that is a PKCS12 store.',
    sameAsEtcd: false,
    property: 'ssl.keystore.password',
    secret: true,
  }),
  keyFile: option({
    flag: 'key-file',
    etcdKey: 'client-transport-security.key-file',
    section: CLIENTS,
    kind: pathKind,
    default: '',
    defaultMeans: 'the key is in --cert-file',
    help: 'Private key of the certificate, PEM.',
    sameAsEtcd: true,
  }),
  keyPassword: option({
    flag: 'key-password',
    section: CLIENTS,
    kind: secretKind,
    default: '',
    help: 'Password of the private key, if it is encrypted.',
    sameAsEtcd: false,
    property: 'ssl.key.password',
    secret: true,
  }),
  clientCertAuth: option({
    flag: 'client-cert-auth',
    etcdKey: 'client-transport-security.client-cert-auth',
    section: CLIENTS,
    kind: clientCertAuthKind,
    default: 'false',
    propertiesDefault: 'none',
    help:
      'Whether clients need a certificate of an authority in --trusted-ca-file; its CN is then the name of their ' +
      'user. With false they need one as soon as --trusted-ca-file is given, as with etcd; with none they never do.',
    sameAsEtcd: true,
    isSwitch: true,
    property: 'ssl.client.authentication',
  }),
  trustedCaFile: option({
    flag: 'trusted-ca-file',
    etcdKey: 'client-transport-security.trusted-ca-file',
    section: CLIENTS,
    kind: pathKind,
    default: '',
    help: 'Certificates of the authorities that clients are trusted by: PEM, or a PKCS12 store.',
    sameAsEtcd: true,
    property: 'ssl.truststore.location',
  }),
  trustedCaPassword: option({
    flag: 'trusted-ca-password',
    section: CLIENTS,
    kind: secretKind,
    default: '',
    help: 'Password of --trusted-ca-file if that is a PKCS12 store.',
    sameAsEtcd: false,
    property: 'ssl.truststore.password',
    secret: true,
  }),
  clientCrlFile: option({
    flag: 'client-crl-file',
    section: CLIENTS,
    kind: pathKind,
    default: '',
    help: 'List of revoked certificates, DER or PEM: clients with one whose serial number is in it are refused.',
    sameAsEtcd: true,
  }),
  clientCertAllowedHostname: option({
    flag: 'client-cert-allowed-hostname',
    section: CLIENTS,
    kind: namesKind,
    default: '',
    defaultMeans: 'any',
    help: 'Host names or addresses, of which the certificate of a client must be valid for one.',
    sameAsEtcd: true,
  }),
  autoTls: option({
    flag: 'auto-tls',
    etcdKey: 'client-transport-security.auto-tls',
    section: CLIENTS,
    kind: booleanKind,
    default: 'false',
    help:
      'Whether a certificate that nobody can verify is made (once, in fixtures/client of the data directory) and ' +
      'served if --cert-file is not given.',
    sameAsEtcd: true,
    isSwitch: true,
  }),
  selfSignedCertValidity: option({
    flag: 'self-signed-cert-validity',
    section: CLIENTS,
    kind: integerKind(1, 1000),
    default: '1',
    help: 'How many years the certificate of --auto-tls is valid.',
    sameAsEtcd: true,
  }),
  cipherSuites: option({
    flag: 'cipher-suites',
    section: CLIENTS,
    kind: cipherSuitesKind,
    default: '',
    defaultMeans: 'those of Node.js',
    help: 'Cipher suites that are offered up to TLS 1.2, by the names that IANA and Go give them.',
    sameAsEtcd: true,
  }),
  tlsMinVersion: option({
    flag: 'tls-min-version',
    section: CLIENTS,
    kind: tlsVersionKind,
    default: 'TLS1.2',
    help: 'The lowest version of TLS that is spoken: TLS1.2 or TLS1.3.',
    sameAsEtcd: true,
  }),
  tlsMaxVersion: option({
    flag: 'tls-max-version',
    section: CLIENTS,
    kind: tlsVersionKind,
    default: '',
    defaultMeans: 'TLS1.3',
    help: 'The highest version of TLS that is spoken: TLS1.2 or TLS1.3.',
    sameAsEtcd: true,
  }),
  peerCertFile: option({
    flag: 'peer-cert-file',
    etcdKey: 'peer-transport-security.cert-file',
    section: NODES,
    kind: pathKind,
    default: '',
    defaultMeans: 'that of --cert-file',
    help: 'Certificate, PEM, that this node shows when it connects to other nodes, at their client URLs.',
    sameAsEtcd: true,
  }),
  peerKeyFile: option({
    flag: 'peer-key-file',
    etcdKey: 'peer-transport-security.key-file',
    section: NODES,
    kind: pathKind,
    default: '',
    defaultMeans: 'the key is in --peer-cert-file',
    help: 'Private key of that certificate, PEM.',
    sameAsEtcd: true,
  }),
  peerTrustedCaFile: option({
    flag: 'peer-trusted-ca-file',
    etcdKey: 'peer-transport-security.trusted-ca-file',
    section: NODES,
    kind: pathKind,
    default: '',
    defaultMeans: 'that of --trusted-ca-file, or the authorities that Node.js trusts',
    help:
      'Certificates of the authorities that other nodes are trusted by, PEM. If it is given, only who has a ' +
      'certificate of one of them is answered as a node.',
    sameAsEtcd: true,
  }),
  peerClientCertAuth: option({
    flag: 'peer-client-cert-auth',
    etcdKey: 'peer-transport-security.client-cert-auth',
    section: NODES,
    kind: booleanKind,
    default: 'false',
    help:
      'Whether only who has a certificate of an authority in --peer-trusted-ca-file, or else in --trusted-ca-file, ' +
      'is answered as a node.',
    sameAsEtcd: true,
    isSwitch: true,
  }),
  peerCertAllowedCn: option({
    flag: 'peer-cert-allowed-cn',
    section: NODES,
    kind: namesKind,
    default: '',
    defaultMeans: 'any',
    help: 'Common names, of which the certificate of a node must have one.',
    sameAsEtcd: true,
  }),
  peerCertAllowedHostname: option({
    flag: 'peer-cert-allowed-hostname',
    section: NODES,
    kind: namesKind,
    default: '',
    defaultMeans: 'any',
    help: 'Host names or addresses, of which the certificate of a node must be valid for one.',
    sameAsEtcd: true,
  }),
  peerCrlFile: option({
    flag: 'peer-crl-file',
    section: NODES,
    kind: pathKind,
    default: '',
    help: 'List of revoked certificates, DER or PEM: who has one of them is not answered as a node.',
    sameAsEtcd: true,
  }),
  peerAutoTls: option({
    flag: 'peer-auto-tls',
    etcdKey: 'peer-transport-security.auto-tls',
    section: NODES,
    kind: booleanKind,
    default: 'false',
    help:
      'Whether certificates of other nodes are accepted without being verified, as those of --auto-tls have to be. ' +
      'Links are then encrypted, but whoever can redirect them can read them.',
    sameAsEtcd: true,
    isSwitch: true,
  }),
}
