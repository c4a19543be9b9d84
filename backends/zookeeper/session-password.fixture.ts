/**
 * The password of somebody else's session. ZooKeeper makes it from the session's number by Java's random numbers, so
 * that every server of an ensemble knows it; an administrator who wants to end a session can do the same.
 */

const SECRET = 0xb3415c00n
const MULTIPLIER = 0x5deece66dn
const ADDEND = 0xbn
const MASK = (1n << 48n) - 1n
const PASSWORD_BYTES = 16

export function passwordOf(session: bigint): Buffer {
  const password = Buffer.alloc(PASSWORD_BYTES)
  let seed = (session ^ SECRET ^ MULTIPLIER) & MASK
  for (let at = 0; at < PASSWORD_BYTES; at += 4) {
    seed = (seed * MULTIPLIER + ADDEND) & MASK
    password.writeUInt32LE(Number(BigInt.asUintN(32, seed >> 16n)), at)
  }
  return password
}
