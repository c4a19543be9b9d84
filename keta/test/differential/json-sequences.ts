/** Requests to the JSON gateway that only make sense in their order: users, locks and elections. */

export interface SequenceStep {
  readonly path: string
  readonly message: Readonly<Record<string, unknown>>
  /** With the token that the last `authenticate` of this user has given; 'nobody' sends one that nobody gave. */
  readonly as?: string
}

const b64 = (text: string): string => Buffer.from(text).toString('base64')
const auth = (path: string, message: SequenceStep['message'], as?: string): SequenceStep => ({
  path: `/v3/auth/${path}`,
  message,
  ...(as !== undefined && { as }),
})
const as = (user: string | undefined, path: string, message: SequenceStep['message']): SequenceStep => ({
  path: `/v3/${path}`,
  message,
  ...(user !== undefined && { as: user }),
})

const ALICES = { key: b64('u/'), range_end: b64('u0') }

const USERS: readonly SequenceStep[] = [
  auth('status', {}),
  auth('enable', {}),
  auth('authenticate', { name: 'root', password: 'secret' }),
  auth('user/add', { name: 'root', password: 'secret' }),
  auth('user/add', { name: 'root', password: 'secret' }),
  auth('user/add', { name: '', password: 'x' }),
  auth('user/add', { name: 'alice', password: 'wonder' }),
  auth('user/add', { name: 'bob', options: { no_password: true } }),
  auth('role/add', { name: 'r' }),
  auth('role/grant', { name: 'r', perm: { permType: 'READWRITE', ...ALICES } }),
  auth('role/grant', { name: 'r', perm: { permType: 'READ', key: b64('v') } }),
  auth('role/grant', { name: 'r', perm: { permType: 'NONSENSE', key: b64('v') } }),
  auth('role/grant', { name: 'r' }),
  auth('role/get', { role: 'r' }),
  auth('role/get', { role: 'none' }),
  auth('user/grant', { user: 'alice', role: 'r' }),
  auth('user/grant', { user: 'root', role: 'root' }),
  auth('user/list', {}),
  auth('role/list', {}),
  auth('enable', {}),
  auth('status', {}),
  auth('authenticate', { name: 'root', password: 'wrong' }),
  auth('authenticate', { name: 'bob', password: 'x' }),
  auth('authenticate', { name: 'root', password: 'secret' }),
  auth('authenticate', { name: 'alice', password: 'wonder' }),
  auth('status', {}, 'root'),
  auth('user/list', {}, 'alice'),
  auth('user/get', { name: 'alice' }, 'alice'),
  auth('user/get', { name: 'root' }, 'alice'),
  as(undefined, 'kv/put', { key: b64('u/1'), value: b64('x') }),
  as('nobody', 'kv/put', { key: b64('u/1'), value: b64('x') }),
  as('alice', 'kv/put', { key: b64('u/1'), value: b64('x') }),
  as('alice', 'kv/put', { key: b64('v'), value: b64('x') }),
  as('root', 'kv/put', { key: b64('v'), value: b64('x') }),
  as('alice', 'kv/range', ALICES),
  as('alice', 'kv/range', { key: b64('v') }),
  as('alice', 'kv/range', { key: b64('u'), range_end: b64('w') }),
  as('alice', 'kv/deleterange', { key: b64('v') }),
  as('alice', 'kv/txn', { success: [{ request_put: { key: b64('u/2') } }, { request_range: { key: b64('v') } }] }),
  as('alice', 'kv/txn', {
    success: [{ request_put: { key: b64('u/2') } }],
    failure: [{ request_put: { key: b64('w') } }],
  }),
  as('alice', 'kv/compaction', { revision: '2' }),
  as(undefined, 'lease/grant', { ID: '71', TTL: '3600' }),
  as('alice', 'lease/grant', { ID: '71', TTL: '3600' }),
  as('alice', 'lease/leases', {}),
  as('alice', 'maintenance/hash', {}),
  as('alice', 'maintenance/defragment', {}),
  as('alice', 'cluster/member/add', { peerURLs: ['http://127.0.0.1:1'] }),
  as('alice', 'lock/lock', { name: b64('u/lock'), lease: '71' }),
  as('alice', 'lock/lock', { name: b64('w/lock'), lease: '71' }),
  as('alice', 'lock/unlock', { key: b64('u/lock/47') }),
  as('alice', 'election/campaign', { name: b64('u/e'), lease: '71', value: b64('me') }),
  as('alice', 'election/leader', { name: b64('u/e') }),
  as('alice', 'election/leader', { name: b64('w/e') }),
  auth('user/changepw', { name: 'alice', password: 'land' }, 'root'),
  as('alice', 'kv/range', { key: b64('u/1') }),
  auth('authenticate', { name: 'alice', password: 'land' }),
  auth('role/revoke', { role: 'r', ...ALICES }, 'root'),
  as('alice', 'kv/range', { key: b64('u/1') }),
  auth('user/revoke', { name: 'alice', role: 'r' }, 'root'),
  auth('user/delete', { name: 'root' }, 'root'),
  auth('user/delete', { name: 'bob' }, 'root'),
  auth('role/delete', { role: 'r' }, 'root'),
  auth('disable', {}, 'alice'),
  auth('disable', {}, 'root'),
  as(undefined, 'kv/range', { key: b64('u/1') }),
]

const RECIPES: readonly SequenceStep[] = [
  as(undefined, 'lease/grant', { ID: '71', TTL: '3600' }),
  as(undefined, 'lock/lock', { name: b64('l'), lease: '71' }),
  as(undefined, 'lock/lock', { name: b64('l'), lease: '71' }),
  as(undefined, 'lock/lock', { name: b64('l'), lease: '72' }),
  as(undefined, 'lock/unlock', { key: b64('l/47') }),
  as(undefined, 'lock/unlock', { key: b64('l/47') }),
  as(undefined, 'lock/nothing', {}),
  as(undefined, 'election/leader', { name: b64('e') }),
  as(undefined, 'election/campaign', { name: b64('e'), lease: '71', value: b64('first') }),
  as(undefined, 'election/campaign', { name: b64('e'), lease: '71', value: b64('second') }),
  as(undefined, 'election/leader', { name: b64('e') }),
  as(undefined, 'election/proclaim', {
    leader: { name: b64('e'), key: b64('e/47'), rev: '1', lease: '71' },
    value: '',
  }),
  as(undefined, 'election/proclaim', { value: '' }),
  as(undefined, 'election/resign', { leader: { name: b64('e'), key: b64('e/47'), rev: '1', lease: '71' } }),
  as(undefined, 'election/resign', {}),
  as(undefined, 'maintenance/downgrade', { action: 'VALIDATE', version: 'x' }),
  as(undefined, 'maintenance/downgrade', { action: 'CANCEL' }),
  as(undefined, 'maintenance/transfer-leadership', { targetID: '1' }),
  as(undefined, 'cluster/member/add', { peerURLs: ['nonsense'] }),
  as(undefined, 'cluster/member/remove', { ID: '1' }),
  as(undefined, 'cluster/member/promote', { ID: '1' }),
]

export const SEQUENCES: Readonly<Record<string, readonly SequenceStep[]>> = {
  'users, roles and tokens': USERS,
  'locks, elections, members and versions': RECIPES,
}
