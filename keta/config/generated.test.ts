/** What is generated from the option table is up to date. UPDATE_GENERATED=1 writes it instead of comparing. */
import { readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { readEnvironment } from './environment.ts'
import { readPropertiesText, readYamlText } from './file.ts'
import { helpText } from './help.ts'
import { PEM } from './key-stores/stores.fixture.ts'
import { allOptions, environmentNames } from './options.ts'
import { configurationReference } from './reference.ts'
import { resolve } from './resolve.ts'
import { sampleProperties, sampleYaml } from './samples.ts'

const GENERATED: [string, () => string][] = [
  ['keta/config/help.txt', helpText],
  ['config/keta.properties', sampleProperties],
  ['config/keta.yaml', sampleYaml],
  ['docs/configuration.md', configurationReference],
]

describe('what the option table generates', () => {
  for (const [path, generate] of GENERATED) {
    it(`${path} is up to date`, () => {
      const url = new URL(`../../${path}`, import.meta.url)
      if (process.env['UPDATE_GENERATED'] === '1') writeFileSync(url, generate())
      expect(readFileSync(url, 'utf8')).to.equal(generate())
    })
  }

  it('help has at most 100 columns, and names each option with its default and its environment', () => {
    const text = helpText()
    expect(text.split('\n').filter((line) => line.length > 100)).to.deep.equal([])
    for (const [, option] of allOptions()) {
      for (const word of [`--${option.flag} <`, option.default, ...environmentNames(option)])
        expect(text).to.include(word)
    }
  })

  const samples: [string, string, typeof readYamlText, 'yaml' | 'properties'][] = [
    ['keta.yaml', sampleYaml(), readYamlText, 'yaml'],
    ['keta.properties', sampleProperties(), readPropertiesText, 'properties'],
  ]
  for (const [name, text, read, format] of samples) {
    it(`the sample ${name} is valid as it stands, and with every option uncommented`, () => {
      expect(resolve([read(name, text)], format).problems).to.deep.equal([])
      const all = text.replace(/^#(?=[a-z.-]+(=|: ))/gm, '')
      const reading = read(name, all)
      expect(reading.settings).to.have.length(allOptions().length)
      expect(resolve([reading], format)).to.deep.include({ problems: [], warnings: [] })
    })
  }

  it('the sample of a cluster is valid, with and without what is commented out', () => {
    const text = readFileSync(new URL('../../config/cluster.properties', import.meta.url), 'utf8')
    const plain = resolve([readPropertiesText('cluster.properties', text)], 'properties')
    expect(plain).to.deep.include({ problems: [], warnings: [] })
    expect(plain.resolved?.config.kafkaBootstrapServers).to.have.length(3)
    const all = text.replace(/^#(?=[a-z.-]+=)/gm, '')
    const readings = [readEnvironment({ KETA_KAFKA_SASL_PASSWORD: 'p' }), readPropertiesText('cluster.properties', all)]
    const secured = resolve(readings, 'properties', () => Buffer.from(PEM.ca))
    expect(secured).to.deep.include({ problems: [], warnings: [] })
    expect(secured.resolved?.config).to.include({ readLease: 500, kafkaSecurityProtocol: 'SASL_SSL' })
  })
})
