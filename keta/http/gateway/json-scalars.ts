/** JSON texts of single values, read as Go's protojson reads them. Undefined: the text is none of the kind. */

const INTEGER_DIGITS = 20
/** Characters that cannot follow a number. */
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![-+._a-zA-Z0-9])/
const PARTS = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?$/
const OUTER_SPACE = /^\s|\s$/u

/**
 * An integer, or a number that is one: 1.0, 1e3.
 * @param raw a JSON number
 */
export function integerOf(raw: string): bigint | undefined {
  const [, sign, whole = '', fractionDigits = '', exponentDigits = '0'] = PARTS.exec(raw) ?? []
  if (whole === '') return undefined
  const fraction = fractionDigits.replace(/0+$/, '')
  const integer = whole === '0' ? '' : whole
  if (integer === '' && fraction === '') return 0n
  const exponent = Number(exponentDigits)
  if (exponent > INTEGER_DIGITS || exponent < -integer.length || fraction.length > Math.max(exponent, 0))
    return undefined
  if (exponent > 0 && integer.length + exponent > INTEGER_DIGITS) return undefined
  const digits =
    exponent >= 0 ? (integer + fraction).padEnd(integer.length + exponent, '0') : shortened(integer, -exponent)
  if (digits === undefined) return undefined
  return sign === '-' ? -BigInt(digits) : BigInt(digits)
}

/** An integer in a JSON string. What follows the number there is passed over. */
export function integerInText(text: string): bigint | undefined {
  if (OUTER_SPACE.test(text)) return undefined
  const [number] = NUMBER.exec(text) ?? []
  return number === undefined ? undefined : integerOf(number)
}

/** Standard or URL-safe, padded or not. */
export function bytesOf(text: string): Uint8Array | undefined {
  const urlSafe = /[-_]/.test(text)
  const padded = text.length % 4 === 0
  const digits = text.replace(/[\r\n]/g, '')
  const alphabet = urlSafe ? '[-_A-Za-z0-9]' : '[+/A-Za-z0-9]'
  const shape = padded
    ? `^(?:${alphabet}{4})*(?:${alphabet}{2}==|${alphabet}{3}=)?$`
    : `^(?:${alphabet}{4})*(?:${alphabet}{2,3})?$`
  if (!new RegExp(shape).test(digits)) return undefined
  return Buffer.from(digits, urlSafe ? 'base64url' : 'base64')
}

function shortened(digits: string, by: number): string | undefined {
  const kept = digits.length - by
  return /^0*$/.test(digits.slice(kept)) ? digits.slice(0, kept) : undefined
}
