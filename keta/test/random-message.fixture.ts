/** Random messages of any type, made from its description, and random damage to their bytes. */
import { create, type DescField, type DescMessage, ScalarType, type MessageShape } from '@bufbuild/protobuf'
import { reflect, type ReflectMessage } from '@bufbuild/protobuf/reflect'
import type { Random } from './differential/random.ts'

const DEPTH_MOST = 5
const LIST_MOST = 4
const KEYS = ['a', 'b', 'c', 'k/1', 'k/2', '\0', '', 'z'.repeat(200)]
const NUMBERS = [0, 0, 1, 2, 3, 5, 10, 100, 60_000, -1, -2, 2 ** 31 - 1, -(2 ** 31)]
const BIG_NUMBERS = [0n, 0n, 1n, 2n, 3n, 5n, 20n, 100n, -1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)]

/** Fields are left out half of the time; of a union at most one is set. */
export function randomMessage(random: Random, description: DescMessage, depth = 0): MessageShape<DescMessage> {
  const message = reflect(description, create(description))
  for (const member of description.members) {
    if (random.oneIn(2)) continue
    const field = member.kind === 'oneof' ? random.pick(member.fields) : member
    setRandomly(random, message, field, depth)
  }
  return message.message
}

function setRandomly(random: Random, message: ReflectMessage, field: DescField, depth: number): void {
  switch (field.fieldKind) {
    case 'scalar':
      message.set(field, randomScalar(random, field.scalar))
      break
    case 'enum':
      message.set(field, random.oneIn(8) ? random.below(100) : random.pick(field.enum.values).number)
      break
    case 'message':
      if (depth < DEPTH_MOST) message.set(field, reflected(random, field.message, depth))
      break
    case 'list': {
      const list = message.get(field)
      for (let count = random.below(LIST_MOST); count > 0; count--) {
        if (field.listKind === 'message') {
          if (depth < DEPTH_MOST) list.add(reflected(random, field.message, depth))
        } else if (field.listKind === 'enum') list.add(random.pick(field.enum.values).number)
        else list.add(randomScalar(random, field.scalar))
      }
      break
    }
    case 'map':
      throw new Error(`no message of etcd's API has a map, but ${field.name}`)
  }
}

function reflected(random: Random, description: DescMessage, depth: number): ReflectMessage {
  return reflect(description, randomMessage(random, description, depth + 1))
}

function randomScalar(random: Random, type: ScalarType): unknown {
  switch (type) {
    case ScalarType.BYTES:
      return Buffer.from(random.oneIn(10) ? 'x'.repeat(random.below(5000)) : random.pick(KEYS))
    case ScalarType.STRING:
      return random.pick(['', 'x', 'http://127.0.0.1:1', '3.5.0', 'ö'.repeat(50)])
    case ScalarType.BOOL:
      return random.oneIn(2)
    case ScalarType.INT64:
      return random.pick(BIG_NUMBERS)
    case ScalarType.UINT64:
      return BigInt.asUintN(64, random.pick(BIG_NUMBERS))
    case ScalarType.UINT32:
      return random.pick(NUMBERS) >>> 0
    case ScalarType.INT32:
      return random.pick(NUMBERS)
    default:
      throw new Error(`no message of etcd's API has a field of type ${ScalarType[type]}`)
  }
}

/** As long as two bytes can be: ten bytes, the last beyond 64 bits; or longer. */
const HUGE_VARINTS = [Buffer.alloc(10, 0xff), Buffer.from('ffffffffffffffffff01', 'hex'), Buffer.alloc(40, 0x80)]

/** One to four damages: bits flipped, bytes lost, doubled or put in, the end cut off, numbers made huge. */
export function damaged(random: Random, bytes: Buffer): Buffer {
  let result = bytes
  for (let count = 1 + random.below(4); count > 0; count--) result = damagedOnce(random, result)
  return result
}

function damagedOnce(random: Random, bytes: Buffer): Buffer {
  const from = random.below(bytes.length + 1)
  const to = from + random.below(Math.min(16, bytes.length - from) + 1)
  const [before, part, after] = [bytes.subarray(0, from), bytes.subarray(from, to), bytes.subarray(to)]
  return random.pick([
    () => flipped(random, bytes),
    () => before,
    () => Buffer.concat([before, after]),
    () => Buffer.concat([before, part, part, after]),
    () => Buffer.concat([before, random.pick(HUGE_VARINTS), after]),
    () => Buffer.concat([before, Buffer.from([random.below(256), random.below(256)]), after]),
    () => Buffer.concat([bytes, bytes]),
  ])()
}

function flipped(random: Random, bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes
  const copy = Buffer.from(bytes)
  const at = random.below(copy.length)
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8))
  return copy
}
