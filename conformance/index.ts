/**
 * The conformance suite: every promise of the SPI, tried on a backend. `conformance` makes mocha tests of it,
 * `runConformance` runs it without a test framework, `keta conformance` from the command line.
 */
export type { BackendHarness, HarnessHooks, ServerHook } from './harness.ts'
export type { ConformanceCase, Given, Need, OptionalCapability, PartyOptions } from './kit/case.ts'
export type { History, Operation } from './kit/history.ts'
export type { Direction, Link } from './kit/link.ts'
export type { CaseOutcome, Failure } from './kit/outcome.ts'
export { pauseProcess } from './kit/pause-process.ts'
export type { Party, RemoteElection, RemoteEvent, RemoteGroup, RemoteParty } from './kit/party.ts'
export { badgeLine, type Report, reportMarkdown, writeReport } from './report.ts'
export { conformanceMatrix, type Guarantee, GUARANTEES, insertMatrix, parseReport } from './report-matrix.ts'
export { runConformance } from './run.ts'
export type { ConformanceOptions } from './settings.ts'
export { shellServer, type ShellCommands } from './shell-server.ts'
export { conformance, type HarnessSource } from './suite.ts'
