/** All mutants, with the cases that are there to catch each: every one of them must fail. */

export interface MutantSpecies {
  /** As exported by its module. */
  readonly name: string
  /** As the child processes of the suite load it. */
  readonly locator: string
  /** Ids of the catalogue. */
  readonly caughtBy: readonly string[]
  /** Default: the harness's. Milliseconds. */
  readonly sessionTtlMs?: number
}

/** What is wrong by a small part of the lease only: it must be more than what a busy machine adds. */
const LONG_LEASES: Readonly<Record<string, number>> = { DeadlineFromTheReply: 1_600 }

const OF_THE_STORE: Readonly<Record<string, readonly string[]>> = {
  RenewsTheDead: ['X13', 'L11b', 'F8'],
  DeadlineTooLate: ['X9', 'G15', 'F2'],
  DeadlineFromTheReply: ['X9'],
  LostWatchGap: ['R15'],
  WatchesOnce: ['F3'],
  VersionsRestart: ['S8'],
  TokensRestart: ['G5', 'X18', 'S23'],
  FenceIgnored: ['S23'],
  TransactionsInPieces: ['S21'],
  OwnWriteIsAConflict: ['E6'],
  OldRecordIsOurs: ['G2', 'X7'],
  LeasesLeftBehind: ['L7', 'L8'],
  StaleReads: ['S15'],
  ScanByUtf16: ['S10'],
  ScanOfManyMoments: ['S13'],
  PrefixesConfused: ['S11'],
  ImpliedChildrenMissed: ['R10'],
}

const OF_SERVICES: Readonly<Record<string, readonly string[]>> = {
  ResignerWinsAgain: ['X3'],
  ResignsBeforeDutiesEnd: ['X3'],
  LeavesByName: ['G5', 'G12'],
  OneLeaveEndsRenewal: ['G4'],
  SignalsTooLate: ['G9', 'G15'],
  HeldByTimer: ['X11', 'X12'],
  AbortedJoinGoesOn: ['G11', 'E4'],
  UnknownIsNone: ['E6'],
  FenceCheckedBefore: ['S23b'],
  DeleteIgnoresVersion: ['S7'],
  ListenersOverlap: ['R4'],
  ThrowingEndsListening: ['R5'],
  StatesRepeated: ['R3'],
  LastStateSkipped: ['R1'],
  CalledAfterRemove: ['R7'],
  KeySetOnEveryChange: ['R10'],
  LeavingIsNotTold: ['G7', 'G14'],
}

const OF_CLIENTS: Readonly<Record<string, readonly string[]>> = {
  TellsItsPassword: ['L2'],
  StartsTwice: ['L3a'],
  StartIsInternal: ['L3b'],
  SecondShutdownRejects: ['L4'],
  WaitsForEver: ['L5a'],
  CallsAfterClose: ['L6a'],
  ClosesBeforeDutiesEnd: ['L7'],
  ClustersMeet: ['L9'],
  PromisesTooMuch: ['L10'],
  AnotherInstanceEachTime: ['L11a'],
  LeavesTimers: ['L12', 'F9'],
  KeepsClients: ['L12'],
  RefusalsAreUnsure: ['E1'],
  AbortsAfterTheReply: ['E2', 'E3'],
  AbortedWaitWithdraws: ['E4'],
  TakesTwiceTheTime: ['E5'],
  AsksBeforeChecking: ['E7'],
  TriesCredentialsAgain: ['E8a'],
  SilenceIsAbsence: ['F4'],
  HopesForTheBest: ['E5'],
  ForgetsRejections: ['E5'],
  FirstAddressOnly: ['F7'],
  RemembersTheDead: ['F6'],
  LossToldTwice: ['F8'],
}

export const MUTANTS: readonly MutantSpecies[] = [
  ...speciesOf('./mutants-of-the-store.fixture.ts', OF_THE_STORE),
  ...speciesOf('./mutants-of-services.fixture.ts', OF_SERVICES),
  ...speciesOf('./mutants-of-clients.fixture.ts', OF_CLIENTS),
]

function speciesOf(module: string, all: Readonly<Record<string, readonly string[]>>): MutantSpecies[] {
  const url = new URL(module, import.meta.url).href
  return Object.entries(all).map(([name, caughtBy]) => {
    const sessionTtlMs = LONG_LEASES[name]
    return { name, locator: `${url}#${name}`, caughtBy, ...(sessionTtlMs !== undefined && { sessionTtlMs }) }
  })
}
