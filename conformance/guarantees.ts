/** What the cases add up to, in the words of somebody who writes a broker. */

export interface Guarantee {
  readonly promise: string
  /** Ids of the cases that show it; every case shows something. */
  readonly cases: readonly string[]
}

export const GUARANTEES: readonly Guarantee[] = [
  {
    promise: 'Plugins are found and configured as server.properties says; everything wrong is told before connecting',
    cases: ['L1', 'L2', 'L10', 'L11a'],
  },
  {
    promise: 'Shutdown ends every call and lets others take over at once; nothing is left behind',
    cases: ['L3a', 'L3b', 'L4', 'L5a', 'L5b', 'L6a', 'L6b', 'L7', 'L8', 'L12'],
  },
  { promise: 'Two clusters on one store never meet', cases: ['L9', 'S25'] },
  {
    promise: 'Errors say truthfully whether a write may have happened',
    cases: ['E1', 'E3', 'E6', 'E7'],
  },
  { promise: 'Calls end in time: aborted, timed out, without a server', cases: ['E2', 'E3', 'E4', 'E5', 'F4'] },
  { promise: 'Wrong credentials and forbidden keys are told as such', cases: ['E8a', 'E8b'] },
  {
    promise: 'Values and keys come back exactly as they were written',
    cases: ['S1', 'S2', 'S3', 'S4', 'S7', 'S9', 'S10', 'S11', 'S12', 'S14'],
  },
  {
    promise: 'Versions never come back: no lost updates, no ABA',
    cases: ['S5', 'S6', 'S8', 'S17', 'S18', 'S19', 'S24'],
  },
  { promise: 'Reads are linearizable, or as old as was asked for', cases: ['S15', 'S16', 'S20'] },
  { promise: 'A scan is complete, in order, and of one moment', cases: ['S13'] },
  { promise: 'Transactions: all or nothing', cases: ['S21'] },
  { promise: 'A leader of the past cannot write (fencing in the store)', cases: ['S23', 'S23b', 'X11', 'X12'] },
  { promise: 'Data survive a restart of the store', cases: ['S22'] },
  {
    promise: 'Listeners always see the last state, in order, one call at a time',
    cases: ['R1', 'R2', 'R3', 'R4', 'R5', 'R6', 'R7', 'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R16'],
  },
  { promise: 'Listeners survive partitions, restarts and a forgotten history', cases: ['R15'] },
  {
    promise: 'An id has one member; its epoch rises for ever',
    cases: ['G1', 'G2', 'G3', 'G4', 'G5', 'G6', 'G12', 'G13', 'G16', 'G17', 'G18'],
  },
  {
    promise: 'A dead member is gone in time, a living one stays',
    cases: ['G7', 'G8', 'G11', 'G14'],
  },
  { promise: 'A member knows that it is out before anybody else does', cases: ['L11b', 'G9', 'G10', 'G15'] },
  {
    promise: 'Elections: whoever should lead does, and everybody learns of it',
    cases: ['X1', 'X2', 'X3', 'X4', 'X5', 'X13', 'X14', 'X15', 'X19', 'X20', 'X21', 'X22', 'X23', 'X24', 'X27'],
  },
  { promise: 'At most one leader holds, under partition', cases: ['X9', 'X10', 'X16', 'X25'] },
  {
    promise: 'At most one leader holds, when processes stall, stop or die',
    cases: ['X6', 'X7', 'X8', 'X11', 'X12', 'X25'],
  },
  { promise: 'At most one leader holds, whatever clocks and servers do', cases: ['X17', 'X26'] },
  { promise: 'Fencing tokens rise for ever', cases: ['X6', 'X18', 'G16'] },
  {
    promise: 'Servers that die, hang or restart are survived',
    cases: ['F1', 'F2', 'F3', 'F4', 'F6', 'F7', 'F8', 'F9'],
  },
  { promise: 'A bad network is survived', cases: ['F5', 'R15'] },
]
