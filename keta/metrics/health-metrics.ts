/** How often the health endpoints were asked, and what they said. */
import type { HealthCounts } from '../http/health.ts'
import { counter, type Family, gauge } from './exposition.ts'

export function healthMetrics(counts: HealthCounts): readonly Family[] {
  return [
    counter('etcd_server_health_success', 'Answers of /health that said true.', () => counts.success),
    counter('etcd_server_health_failures', 'Answers of /health that said false.', () => counts.failures),
    gauge('etcd_server_healthcheck', 'Last result of each check of /livez and /readyz: 1 is good.', () =>
      [...counts.checks.values()].map(({ type, name, last }) => ({ labels: { type, name }, value: Number(last) })),
    ),
    counter('etcd_server_healthchecks_total', 'Results of each check of /livez and /readyz.', () =>
      [...counts.checks.values()].flatMap(({ type, name, success, error }) => [
        { labels: { type, name, status: 'success' }, value: success },
        { labels: { type, name, status: 'error' }, value: error },
      ]),
    ),
  ]
}
