/** The ways in which a raw backend can be wrong, and which case must notice. */
import type { Capabilities } from '../../spi/index.ts'

export const RAW_CAPABILITIES: Capabilities = {
  backend: 'raw',
  persistent: false,
  multiProcess: false,
  linearizableReads: true,
  atomicFencing: true,
  snapshotScan: true,
  transactions: { maxOps: 200 },
  notifications: { mode: 'push', maxLagMs: 30 },
  session: { minTtlMs: 1, granularityMs: 0 },
  limits: { maxKeyBytes: 600, maxValueBytes: 600_000 },
}

/** The case that must fail, by what is wrong. */
export const FAULTS = {
  'absent-is-empty': 'S1',
  'text-only': 'S2',
  'put-overwrites': 'S3',
  'update-creates': 'S4',
  'no-version-for-equal-bytes': 'S5',
  'no-compare-and-set': 'S6',
  'blind-delete': 'S7',
  'delete-says-true': 'S7',
  'version-starts-again': 'S8',
  'shared-buffers': 'S9',
  'keys-in-lower-case': 'S10',
  'order-of-utf-16': 'S10',
  'prefix-without-slash': 'S11',
  'deletes-subtree': 'S11',
  'no-implied-parents': 'S12',
  'scan-of-many-moments': 'S13',
  'scan-repeats-key': 'S13',
  'list-one-page': 'S14',
  'stale-reads': 'S15',
  'sequential-reads-go-back': 'S16',
  'two-step-compare-and-set': 'S17',
  'two-step-put': 'S18',
  'lost-update': 'S20',
  'transact-in-part': 'S21',
  'transact-unfolded': 'S21',
  'fence-ignored': 'S23',
  'fence-of-any-service': 'S23',
  'fence-checked-before': 'S23b',
  'crossed-answers': 'S25',
  'deaf-to-delete': 'R1',
  'deaf-to-foreign-writes': 'R1',
  'listener-needs-key': 'R2',
  'last-state-dropped': 'R4',
  'states-repeated': 'R3',
  'calls-overlap': 'R4',
  'states-queued': 'R4',
  'throwing-ends-it': 'R5',
  'counted-twice': 'R6',
  'remove-from-all-keys': 'R6',
  'called-after-remove': 'R7',
  'remove-waits-for-call': 'R7',
  'initial-ignored': 'R8',
  'initial-always': 'R8',
  'gap-while-adding': 'R9',
  'told-of-every-write-below': 'R10',
  'one-page-of-key-set': 'R11',
  'older-state-later': 'R12',
  'hundredth-listener-forgotten': 'R13',
  'late-notifications': 'R14',
} as const

export type Fault = keyof typeof FAULTS | ''

/** What a round trip is, for a store in memory: others get their turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
