/** The part of the option table about users: tokens and passwords. */
import { authTokenKind } from './auth-token.ts'
import { option } from './option.ts'
import { integerKind } from './values.ts'

export const AUTH_OPTIONS = {
  authToken: option({
    flag: 'auth-token',
    section: 'Users',
    kind: authTokenKind,
    default: 'simple',
    help:
      'How users show who they are once they have given their password. simple: tokens that the nodes remember; jwt: ' +
      'signed ones, as in jwt,pub-key=FILE,priv-key=FILE,sign-method=RS256,ttl=10m.',
    sameAsEtcd: true,
  }),
  authTokenTtl: option({
    flag: 'auth-token-ttl',
    section: 'Users',
    kind: integerKind(0, 366 * 86_400),
    default: '300',
    help: 'Seconds after its last use for which a simple token is good. 0 means 300.',
    sameAsEtcd: true,
    property: 'token.ttl.secs',
  }),
  bcryptCost: option({
    flag: 'bcrypt-cost',
    section: 'Users',
    kind: integerKind(4, 31),
    default: '10',
    help: 'Work that goes into the hash of a password; one more doubles it.',
    sameAsEtcd: true,
  }),
}
