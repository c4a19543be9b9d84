/** All mutants, with the cases that are there to catch each: every one of them must fail. */

export interface MutantSpecies {
  /** As exported by its module. */
  readonly name: string
  /** As the child processes of the suite load it. */
  readonly locator: string
  /** Ids of the catalogue. */
  readonly caughtBy: readonly string[]
}

const OF_THE_STORE: Readonly<Record<string, readonly string[]>> = {
  RenewsTheDead: ['X13', 'L11b'],
  DeadlineTooLate: ['X9', 'G15'],
  DeadlineFromTheReply: ['X9'],
  LostWatchGap: ['R15'],
  VersionsRestart: ['S8'],
  TokensRestart: ['G5', 'X18', 'S23'],
  FenceIgnored: ['S23'],
  TransactionsInPieces: ['S21'],
  OwnWriteIsAConflict: ['E6'],
  OldRecordIsOurs: ['G2', 'X7'],
  LeasesLeftBehind: ['L7'],
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

export const MUTANTS: readonly MutantSpecies[] = [
  ...speciesOf('./mutants-of-the-store.fixture.ts', OF_THE_STORE),
  ...speciesOf('./mutants-of-services.fixture.ts', OF_SERVICES),
]

function speciesOf(module: string, all: Readonly<Record<string, readonly string[]>>): MutantSpecies[] {
  const url = new URL(module, import.meta.url).href
  return Object.entries(all).map(([name, caughtBy]) => ({ name, locator: `${url}#${name}`, caughtBy }))
}
