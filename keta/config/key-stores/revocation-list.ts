/** Reads lists of revoked certificates (RFC 5280, 5), as far as serial numbers go. */
import { InvalidValue } from '../invalid-value.ts'
import { type DerValue, TAG, within } from './der.ts'

const PEM = /-----BEGIN X509 CRL-----([^-]+)-----END X509 CRL-----/g
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18

/**
 * The serial numbers in lists of PEM or DER, as `X509Certificate.serialNumber` writes them. Who has signed the list is
 * not looked at: the file is trusted.
 * @throws InvalidValue
 */
export function readRevokedSerials(bytes: Buffer): ReadonlySet<string> {
  const lists = bytes.includes('-----BEGIN ')
    ? [...bytes.toString('latin1').matchAll(PEM)].map(([, base64 = '']) => Buffer.from(base64, 'base64'))
    : [bytes]
  if (lists.length === 0) throw new InvalidValue('there is no list of revoked certificates in it')
  try {
    return new Set(lists.flatMap(serialsOf))
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error
    throw new InvalidValue('it is not a list of revoked certificates, or a damaged one')
  }
}

function serialsOf(list: Buffer): readonly string[] {
  const [whole] = within({ tag: TAG.sequence, content: list, whole: list })
  const [toBeSigned] = within(whole)
  return revokedOf(within(toBeSigned)).flatMap((entries) => within(entries).map(serialOf))
}

/** The list follows the times of this update and the next; it is left out if it is empty. */
function revokedOf(parts: readonly DerValue[]): readonly DerValue[] {
  const isTime = ({ tag }: DerValue): boolean => tag === UTC_TIME || tag === GENERALIZED_TIME
  const lastTime = parts.findLastIndex(isTime)
  if (lastTime === -1) throw new InvalidValue('')
  return parts.slice(lastTime + 1).filter(({ tag }) => tag === TAG.sequence)
}

function serialOf(entry: DerValue): string {
  const [serial] = within(entry)
  if (serial?.tag !== TAG.integer) throw new InvalidValue('')
  return serial.content
    .toString('hex')
    .toUpperCase()
    .replace(/^(00)+(?=..)/, '')
}
