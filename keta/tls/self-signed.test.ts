import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { selfSigned, selfSignedFiles } from './self-signed.ts'

const NOW = new Date('2026-11-21T10:20:30.456Z')

describe('a certificate of its own making', () => {
  it('is for the names and addresses that it was made for, and signed by its own key', () => {
    const hosts = ['127.0.0.1', '::1', 'fe80::1:2', '::ffff:1.2.3.4', 'localhost', 'bücher.example']
    const { cert, key } = selfSigned({ hosts, validityYears: 2, now: NOW })
    const certificate = new X509Certificate(cert)
    expect(certificate.checkPrivateKey(createPrivateKey(key))).to.equal(true)
    expect(certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey)).to.equal(true)
    for (const address of hosts.slice(0, 4)) expect(certificate.checkIP(address), address).not.to.equal(undefined)
    expect(certificate.checkIP('127.0.0.2')).to.equal(undefined)
    for (const name of ['localhost', 'xn--bcher-kva.example']) expect(certificate.checkHost(name)).to.equal(name)
    expect(certificate.subject).to.equal('O=keta')
    expect([certificate.validFrom, certificate.validTo]).to.deep.equal([
      'Nov 21 10:20:30 2026 GMT',
      'Nov 20 10:20:30 2028 GMT',
    ])
    expect(certificate.ca).to.equal(true)
    expect(certificate.keyUsage).to.deep.equal(['1.3.6.1.5.5.7.3.1'])
  })

  it('can be for a hundred hosts, or for none', () => {
    const hosts = Array.from({ length: 100 }, (_, index) => `host-${index}.example`)
    const { cert } = selfSigned({ hosts, validityYears: 1, now: NOW })
    expect(new X509Certificate(cert).checkHost('host-99.example')).to.equal('host-99.example')
    const { subjectAltName } = new X509Certificate(selfSigned({ hosts: [], validityYears: 1, now: NOW }).cert)
    expect(subjectAltName).to.equal(undefined)
  })

  it('is made once, and its key is for nobody else', () => {
    const directory = mkdtempSync(join(tmpdir(), 'keta-self-signed-'))
    const options = { hosts: ['localhost'], validityYears: 1, now: NOW }
    const made = selfSignedFiles(join(directory, 'fixtures', 'client'), options)
    expect(made.isOld).to.equal(false)
    expect(statSync(made.keyFile).mode & 0o777).to.equal(0o600)
    const cert = readFileSync(made.certFile, 'utf8')
    expect(selfSignedFiles(join(directory, 'fixtures', 'client'), options)).to.deep.equal({ ...made, isOld: true })
    expect(readFileSync(made.certFile, 'utf8')).to.equal(cert)
    rmSync(directory, { recursive: true })
  })
})
