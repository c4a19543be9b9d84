/** The files to deploy with, as far as they can be judged without running them. */
import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8')

function documents(name: string): readonly unknown[] {
  return parseAllDocuments(read(name), { merge: true }).map((document) => {
    expect(document.errors, name).to.deep.equal([])
    return document.toJS() as unknown
  })
}

describe('the files to deploy with', () => {
  it('start three members that differ in name, address and data, with docker compose', () => {
    const [compose] = documents('docker-compose.yml') as {
      services: Record<string, { environment: Record<string, string>; volumes: string[]; ports: string[] }>
      volumes: object
    }[]
    const members = ['keta-1', 'keta-2', 'keta-3'].map((name) => compose!.services[name]!)
    for (const member of members) {
      expect(member.environment).to.include({ KETA_KAFKA_BOOTSTRAP_SERVERS: 'kafka:9092' })
      expect(compose!.volumes).to.have.property(member.volumes[0]!.split(':')[0]!)
    }
    for (const different of [
      members.map(({ environment }) => environment['KETA_NAME']),
      members.map(({ environment }) => environment['KETA_ADVERTISE_CLIENT_URLS']),
      members.map(({ volumes }) => volumes[0]),
      members.map(({ ports }) => ports[0]),
    ]) {
      expect(new Set(different)).to.have.length(3)
    }
  })

  it('probe life and readiness in Kubernetes, on the port that is served', () => {
    const objects = documents('kubernetes/keta.yaml') as { kind: string; spec: Record<string, unknown> }[]
    expect(objects.map(({ kind }) => kind)).to.deep.equal(['Service', 'Service', 'PodDisruptionBudget', 'StatefulSet'])
    const [container] = (objects.at(-1)!.spec['template'] as { spec: { containers: Record<string, unknown>[] } }).spec
      .containers
    expect(container).to.have.nested.property('ports[0].containerPort', 2379)
    expect(container).to.have.nested.property('livenessProbe.httpGet.path', '/livez')
    expect(container).to.have.nested.property('startupProbe.httpGet.path', '/livez')
    expect(container).to.have.nested.property('readinessProbe.httpGet.path', '/readyz')
  })

  it('scrape all members, with the rules of the alerts', () => {
    const [prometheus] = documents('prometheus.yml') as {
      rule_files: string[]
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[]
    }[]
    expect(prometheus!.rule_files).to.deep.equal(['alerts.yml'])
    expect(prometheus!.scrape_configs[0]!.static_configs[0]!.targets).to.have.length(3)
    documents('alerts.yml')
    const dashboard = JSON.parse(read('grafana/keta-dashboard.json')) as { panels: { title: string }[] }
    expect(new Set(dashboard.panels.map(({ title }) => title))).to.have.length(dashboard.panels.length)
  })
})
