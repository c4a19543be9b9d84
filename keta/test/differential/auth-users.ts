/** The users of a session: their passwords, the tokens that they have got, and whoever of them asks. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import {
  Auth,
  AuthenticateRequestSchema,
  AuthenticateResponseSchema,
  AuthUserAddRequestSchema,
  AuthUserGrantRoleRequestSchema,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { type Pair, pathOf, type Tokens } from './pair.ts'

export const ROOT = 'root'

export class AuthUsers {
  /** What root and others had set last, whether or not it was accepted. */
  readonly passwords = new Map<string, string>()
  readonly #tokens = new Map<string, Tokens>()
  readonly #pair: Pair

  constructor(pair: Pair) {
    this.#pair = pair
  }

  /** Asks for tokens of both servers; compared, but for the tokens. */
  async authenticate(name: string, password: string): Promise<boolean> {
    const request = toBinary(AuthenticateRequestSchema, create(AuthenticateRequestSchema, { name, password }))
    this.#pair.note(`Authenticate ${name}`)
    const [left, right] = await this.#pair.send(pathOf(Auth.method.authenticate), request)
    this.#pair.compareAnswers(AuthenticateResponseSchema, left, right)
    if (!left.ok || !right.ok) return false
    const tokenIn = (bytes: Uint8Array): string => fromBinary(AuthenticateResponseSchema, bytes).token
    this.#tokens.set(name, { left: tokenIn(left.bytes), right: tokenIn(right.bytes) })
    return true
  }

  /** Does it as this user; as nobody, if there is none or no token of it. */
  async as<T>(name: string | undefined, action: () => Promise<T>): Promise<T> {
    const before = this.#pair.tokens
    this.#pair.tokens = name === undefined ? undefined : this.#tokens.get(name)
    this.#pair.remark(`as ${this.#pair.tokens === undefined ? 'nobody' : name}`)
    try {
      return await action()
    } finally {
      this.#pair.tokens = before
    }
  }

  async asRoot<T>(action: () => Promise<T>): Promise<T> {
    return this.as(ROOT, action)
  }

  async add(init: MessageInitShape<typeof AuthUserAddRequestSchema>): Promise<void> {
    this.passwords.set(init.name ?? '', init.password ?? '')
    await this.#pair.call(Auth.method.userAdd, create(AuthUserAddRequestSchema, init))
  }

  async grantRole(user: string, role: string): Promise<void> {
    await this.#pair.call(Auth.method.userGrantRole, create(AuthUserGrantRoleRequestSchema, { user, role }))
  }

  /** Turns auth on, with a root who can turn it off. */
  async enable(): Promise<void> {
    await this.add({ name: ROOT, password: 'secret' })
    await this.#pair.call(
      Auth.method.userChangePassword,
      create(Auth.method.userChangePassword.input, { name: ROOT, password: 'secret' }),
    )
    await this.grantRole(ROOT, ROOT)
    await this.#pair.call(Auth.method.authEnable, create(Auth.method.authEnable.input))
    await this.authenticate(ROOT, 'secret')
  }

  async disable(): Promise<void> {
    await this.authenticate(ROOT, this.passwords.get(ROOT) ?? '')
    await this.asRoot(() => this.#pair.call(Auth.method.authDisable, create(Auth.method.authDisable.input)))
  }
}
