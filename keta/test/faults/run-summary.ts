/** A history in one line. */
import type { HistoryRecord, KvOperation } from '../checkers/history.ts'

export function summaryOf(history: readonly HistoryRecord[]): string {
  const requests = history.filter((record) => record.kind === 'kv')
  const count = (outcome: KvOperation['outcome']): number =>
    requests.filter((request) => request.outcome === outcome).length
  const answered = requests.filter(({ outcome }) => outcome === 'ok').map((request) => request.return)
  const end = Math.max(0, ...answered.slice(-1))
  const sessions = history.filter(({ kind }) => kind === 'watch').length
  return [
    `${(end / 1e9).toFixed(0)} s`,
    `${requests.length} requests: ${count('ok')} done, ${count('fail')} refused, ${count('info')} unknown`,
    `${sessions} watches`,
    `longest time without an answer ${(longestGap(answered) / 1e9).toFixed(1)} s`,
  ].join('; ')
}

function longestGap(times: readonly number[]): number {
  return times.reduce((longest, time, index) => Math.max(longest, time - (times[index - 1] ?? time)), 0)
}
