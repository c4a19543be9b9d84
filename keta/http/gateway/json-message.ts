/**
 * A JSON value as a protobuf message, as Go's protojson reads it with unknown fields passed over: camel case or proto
 * names, numbers or strings for 64 bits, every form of base64. What does not fit is refused in its words, with line
 * and column. The value is JSON already (`json-values.ts`).
 */
import { type DescField, type DescMessage, ScalarType, toBinary } from '@bufbuild/protobuf'
import { reflect, type ReflectList, type ReflectMessage } from '@bufbuild/protobuf/reflect'

import { JsonMismatch, JsonText, type Token } from './json-text.ts'
import { bytesOf, integerInText, integerOf } from './json-scalars.ts'

/** Of messages within messages. Go goes to 10,000; more than a few are in no honest request. */
const MAX_MESSAGE_DEPTH = 200

const LIMITS: ReadonlyMap<ScalarType, readonly [bigint, bigint]> = new Map([
  [ScalarType.INT32, [-(2n ** 31n), 2n ** 31n - 1n]],
  [ScalarType.UINT32, [0n, 2n ** 32n - 1n]],
  [ScalarType.INT64, [-(2n ** 63n), 2n ** 63n - 1n]],
  [ScalarType.UINT64, [0n, 2n ** 64n - 1n]],
])

/** @returns the message on the wire. @throws JsonMismatch */
export function messageFromJson(description: DescMessage, value: Buffer): Uint8Array {
  const message = reflect(description)
  readMessage(new JsonText(value), message, 0)
  return toBinary(description, message.message)
}

function readMessage(text: JsonText, message: ReflectMessage, depth: number): void {
  if (depth > MAX_MESSAGE_DEPTH) throw new JsonMismatch('proto: exceeded max recursion depth')
  const open = text.read()
  if (open.kind !== '{') throw unexpectedToken(text, open)
  const seen = new Set<DescField>()
  const unions = new Set<unknown>()
  for (let name = text.read(); name.kind !== '}'; name = text.read()) {
    const field = fieldOf(message, name.text)
    if (field === undefined) {
      text.skip()
      continue
    }
    if (seen.has(field)) throw text.mismatch(name.position, `duplicate field ${name.raw}`)
    seen.add(field)
    if (text.begins('n')) {
      text.read()
      continue
    }
    if (field.oneof !== undefined) {
      if (unions.has(field.oneof)) {
        const union = `${message.desc.typeName}.${field.oneof.name}`
        throw text.mismatch(name.position, `error parsing ${name.raw}, oneof ${union} is already set`)
      }
      unions.add(field.oneof)
    }
    readField(text, message, field, depth)
  }
}

function fieldOf({ fields }: ReflectMessage, name: string): DescField | undefined {
  return fields.find((field) => field.jsonName === name) ?? fields.find((field) => field.name === name)
}

function readField(text: JsonText, message: ReflectMessage, field: DescField, depth: number): void {
  switch (field.fieldKind) {
    case 'list':
      readList(text, message.get(field), field, depth)
      return
    case 'message': {
      const inner = reflect(field.message)
      readMessage(text, inner, depth + 1)
      message.set(field, inner)
      return
    }
    case 'map':
      throw new Error(`no request of etcd's API has a map, but ${field.toString()} is one`)
    default: {
      const value = readScalar(text, field)
      if (value !== undefined) message.set(field, value)
    }
  }
}

function readList(text: JsonText, list: ReflectList, field: DescField & { fieldKind: 'list' }, depth: number): void {
  const open = text.read()
  if (open.kind !== '[') throw unexpectedToken(text, open)
  while (!text.begins(']')) {
    if (field.listKind === 'message') {
      const inner = reflect(field.message)
      readMessage(text, inner, depth + 1)
      list.add(inner)
    } else {
      const value = readScalar(text, field)
      if (value !== undefined) list.add(value)
    }
  }
  text.read()
}

type ScalarField = Pick<DescField, 'scalar' | 'enum' | 'jsonName'>

/** Undefined: the name of an enum value that is not known, which counts as not given. */
function readScalar(text: JsonText, field: ScalarField): unknown {
  const token = text.read()
  if (field.enum !== undefined && token.kind === 'string')
    return field.enum.values.find(({ name }) => name === token.text)?.number
  const value = field.enum === undefined ? scalarOf(token, field.scalar) : numberOf(token, ScalarType.INT32)
  if (value !== undefined) return value
  const kind = field.enum === undefined ? ScalarType[field.scalar ?? 0]?.toLowerCase() : 'enum'
  throw text.mismatch(token.position, `invalid value for ${kind} field ${field.jsonName}: ${token.raw}`)
}

function scalarOf(token: Token, type: ScalarType | undefined): unknown {
  switch (type) {
    case ScalarType.BOOL:
      return token.kind === 'true' || token.kind === 'false' ? token.kind === 'true' : undefined
    case ScalarType.STRING:
      return token.kind === 'string' ? token.text : undefined
    case ScalarType.BYTES:
      return token.kind === 'string' ? bytesOf(token.text) : undefined
    case ScalarType.INT32:
    case ScalarType.UINT32:
      return token.kind === 'string' ? narrowed(limited(integerInText(token.text), type)) : numberOf(token, type)
    case ScalarType.INT64:
    case ScalarType.UINT64:
      if (token.kind === 'string') return limited(integerInText(token.text), type)
      return token.kind === 'number' ? limited(integerOf(token.raw), type) : undefined
    default:
      throw new Error(`no request of etcd's API has a field of type ${type}`)
  }
}

function numberOf(token: Token, type: ScalarType): number | undefined {
  return token.kind === 'number' ? narrowed(limited(integerOf(token.raw), type)) : undefined
}

function limited(value: bigint | undefined, type: ScalarType): bigint | undefined {
  const [least, most] = LIMITS.get(type) ?? [0n, 0n]
  return value !== undefined && value >= least && value <= most ? value : undefined
}

function narrowed(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value)
}

function unexpectedToken(text: JsonText, token: Token): JsonMismatch {
  return text.syntaxError(token.position, `unexpected token ${token.raw}`)
}
