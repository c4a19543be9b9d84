import { expect } from 'chai'
import { TooManyPasswords } from './credentials.ts'
import { BcryptPasswords } from './passwords.ts'

describe('passwords', () => {
  it('match their own hash alone, whatever bytes they have', async () => {
    const passwords = new BcryptPasswords(4)
    for (const password of ['', 'secret', 'with\0nul', 'ü'.repeat(36)]) {
      const hash = await passwords.hash(password)
      expect(await passwords.matches(password, hash)).to.equal(true)
      expect(await passwords.matches(`?${password}`, hash)).to.equal(false)
    }
    expect(await passwords.matches('with', await passwords.hash('with\0nul'))).to.equal(false)
  })

  it('have a salt each, and the cost that was asked for in the hash', async () => {
    const passwords = new BcryptPasswords(5)
    const [a, b] = await Promise.all([passwords.hash('same'), passwords.hash('same')])
    expect(a).to.not.equal(b)
    expect(a).to.match(/^\$2b\$05\$.{53}$/)
  })

  it('match no hash that is none', async () => {
    const passwords = new BcryptPasswords(4)
    for (const hash of ['', 'nonsense', '$2b$04$short']) expect(await passwords.matches('secret', hash)).to.equal(false)
  })

  it('match hashes with the prefix that etcd gives them', async () => {
    const hash = await new BcryptPasswords(4).hash('secret')
    expect(await new BcryptPasswords(10).matches('secret', hash.replace('$2b$', '$2a$'))).to.equal(true)
  })

  it('do not stop the event loop', async () => {
    let turns = 0
    let isOver = false
    const turn = (): void => {
      turns++
      if (!isOver) setImmediate(turn)
    }
    setImmediate(turn)
    await new BcryptPasswords(10).hash('secret')
    isOver = true
    expect(turns).to.be.above(3)
  })

  it('that come by the thousand are refused from some point on, and the others go on', async () => {
    const passwords = new BcryptPasswords(4)
    const all = Array.from({ length: 1_010 }, () => passwords.matches('x', 'nonsense'))
    const settled = await Promise.allSettled(all)
    const refused = settled.filter((result) => result.status === 'rejected')
    expect(refused).to.have.length(8)
    expect(refused.every(({ reason }) => reason instanceof TooManyPasswords)).to.equal(true)
    expect(await passwords.matches('x', await passwords.hash('x'))).to.equal(true)
  })
})
