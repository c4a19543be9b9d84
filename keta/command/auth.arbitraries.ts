/** Random auth changes, of few names, so that they meet. */
import fc from 'fast-check'
import { keyFromText } from '../bytes/key.ts'
import type { AuthChange } from './auth-command.ts'

const user = fc.constantFrom('root', 'alice', 'bob', 'ünal', '')
const role = fc.constantFrom('root', 'r1', 'r2', '')
const key = fc.constantFrom('', 'a', 'a/', 'b', 'c', '\0', '\xff').map(keyFromText)
const hash = fc.constantFrom('', 'hash', 'another')

export const authChange: fc.Arbitrary<AuthChange> = fc.oneof(
  fc.record({ op: fc.constant('enable' as const) }),
  fc.record({ op: fc.constant('disable' as const) }),
  fc.record({ op: fc.constant('authenticate' as const), user, tokenDigest: fc.constantFrom('', 'digest') }),
  fc.record({ op: fc.constant('userAdd' as const), user, passwordHash: hash, noPassword: fc.boolean() }),
  fc.record({ op: fc.constant('userDelete' as const), user }),
  fc.record({ op: fc.constant('userChangePassword' as const), user, passwordHash: hash }),
  fc.record({ op: fc.constant('userGrantRole' as const), user, role }),
  fc.record({ op: fc.constant('userRevokeRole' as const), user, role }),
  fc.record({ op: fc.constant('roleAdd' as const), role }),
  fc.record({ op: fc.constant('roleDelete' as const), role }),
  fc.record({
    op: fc.constant('roleGrantPermission' as const),
    role,
    permission: fc.option(fc.record({ type: fc.integer({ min: 0, max: 3 }), key, rangeEnd: key }), { nil: undefined }),
  }),
  fc.record({ op: fc.constant('roleRevokePermission' as const), role, key, rangeEnd: key }),
)
