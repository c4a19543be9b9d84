/** A certificate authority of a test cluster, and what it signed for the servers and for a client. */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { missing } from './server.ts'

/** Files in PEM. */
export interface ServerTls {
  readonly caFile: string
  /** Private key and certificate. */
  readonly keyStoreFile: string
}

/** Files in PEM for a client. */
export interface ClientTls {
  readonly caFile: string
  /** Servers ask for it only if they are told to. */
  readonly certFile: string
  readonly keyFile: string
}

const DAYS = '30'
const NEW_KEY = ['-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
const run = promisify(execFile)

/** @throws MissingToolchainError without openssl */
export async function makeCertificates(directory: string): Promise<{ server: ServerTls; client: ClientTls }> {
  const file = (name: string): string => join(directory, name)
  const caFile = file('ca.pem')
  const subject = ['-subj', '/CN=test authority']
  await openssl('req', '-x509', ...NEW_KEY, ...subject, '-days', DAYS, '-keyout', file('ca-key.pem'), '-out', caFile)
  await sign(directory, 'server', 'subjectAltName=IP:127.0.0.1,DNS:localhost')
  await sign(directory, 'client', 'extendedKeyUsage=clientAuth')
  const keyStoreFile = file('server.pem')
  const parts = ['server-key.pem', 'server-cert.pem'].map((name) => readFileSync(file(name), 'utf8'))
  writeFileSync(keyStoreFile, parts.join(''), { mode: 0o600 })
  return {
    server: { caFile, keyStoreFile },
    client: { caFile, certFile: file('client-cert.pem'), keyFile: file('client-key.pem') },
  }
}

async function sign(directory: string, name: string, extension: string): Promise<void> {
  const [key, request, extensions, certificate] = ['-key.pem', '.csr', '.ext', '-cert.pem'].map((suffix) =>
    join(directory, `${name}${suffix}`),
  ) as [string, string, string, string]
  writeFileSync(extensions, `${extension}\n`)
  await openssl('req', '-new', ...NEW_KEY, '-subj', `/CN=${name}`, '-keyout', key, '-out', request)
  const authority = ['-CA', join(directory, 'ca.pem'), '-CAkey', join(directory, 'ca-key.pem'), '-CAcreateserial']
  const signed = ['-days', DAYS, '-extfile', extensions, '-in', request, '-out', certificate]
  await openssl('x509', '-req', ...authority, ...signed)
}

/** Signed by the authority that `makeCertificates` has made; valid on one day of the year 2020. */
export async function makeExpiredClient(directory: string): Promise<Omit<ClientTls, 'caFile'>> {
  const file = (name: string): string => join(directory, name)
  const settings = [
    `database=${file('index.txt')}`,
    `new_certs_dir=${directory}`,
    'default_md=sha256',
    'policy=any',
    'rand_serial=yes',
  ]
  writeFileSync(
    file('ca.cnf'),
    `[ca]\ndefault_ca=authority\n[authority]\n${settings.join('\n')}\n[any]\ncommonName=supplied\n`,
  )
  writeFileSync(file('index.txt'), '')
  const [keyFile, certFile] = [file('expired-key.pem'), file('expired-cert.pem')] as const
  await openssl('req', '-new', ...NEW_KEY, '-subj', '/CN=expired', '-keyout', keyFile, '-out', file('expired.csr'))
  const authority = ['-cert', file('ca.pem'), '-keyfile', file('ca-key.pem'), '-config', file('ca.cnf')]
  const dates = ['-startdate', '20200101000000Z', '-enddate', '20200102000000Z']
  await openssl('ca', '-batch', ...authority, ...dates, '-in', file('expired.csr'), '-out', certFile)
  return { certFile, keyFile }
}

async function openssl(...options: readonly string[]): Promise<void> {
  try {
    await run('openssl', options)
  } catch (error) {
    throw missing('openssl', `openssl is not installed, so a server with TLS can't be started`, error)
  }
}
