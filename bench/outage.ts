/** What a fault costs its clients, from the answers that they got. Times in milliseconds. */
import type { Answer, Failure } from './writers.ts'

export interface Outage {
  /** Longest time without an acknowledged write of any client. */
  readonly all: number
  /** Longest time that a single client at a server which was not struck went without an acknowledged write. */
  readonly survivors: number
  /** The same of the clients that were at the struck server; they go on at another one. */
  readonly struck: number
  readonly failures: Readonly<Record<Failure, number>>
  /** Of which clients of other servers saw. */
  readonly failuresAtSurvivors: number
  /** The texts, each once. */
  readonly errors: readonly string[]
}

export interface Strike {
  readonly answers: readonly Answer[]
  /** When, and until when its effects count. */
  readonly from: number
  readonly to: number
  readonly endpoint: string
}

export function outageOf({ answers, from, to, endpoint }: Strike): Outage {
  const homes = homesAt(answers, from)
  const struck = new Set([...homes].filter(([, home]) => home === endpoint).map(([client]) => client))
  const within = answers.filter(({ at }) => at >= from && at <= to)
  const failed = within.filter(({ failure }) => failure !== undefined)
  const count = (kind: Failure): number => failed.filter(({ failure }) => failure === kind).length
  const longestOf = (clients: readonly number[]): number =>
    Math.max(0, ...clients.map((client) => longestGap(answers, from, to, (answer) => answer.client === client)))
  return {
    all: longestGap(answers, from, to, () => true),
    survivors: longestOf([...homes.keys()].filter((client) => !struck.has(client))),
    struck: longestOf([...struck]),
    failures: { unsent: count('unsent'), refused: count('refused'), unknown: count('unknown') },
    failuresAtSurvivors: failed.filter((answer) => answer.endpoint !== endpoint).length,
    errors: [...new Set(failed.map(({ error = '' }) => error))],
  }
}

/** At which server each client was. */
function homesAt(answers: readonly Answer[], moment: number): ReadonlyMap<number, string> {
  return new Map(answers.filter(({ at }) => at < moment).map(({ client, endpoint }) => [client, endpoint]))
}

/** The last acknowledgement before `from` counts too: a gap begins with it. */
function longestGap(answers: readonly Answer[], from: number, to: number, counts: (answer: Answer) => boolean): number {
  const times = answers.filter((answer) => answer.failure === undefined && counts(answer)).map(({ at }) => at)
  const before = times.filter((at) => at < from).at(-1) ?? from
  const points = [before, ...times.filter((at) => at >= from && at <= to), to]
  return Math.max(...points.map((at, index) => at - (points[index - 1] ?? at)))
}

/** Of each figure by itself. */
export function medianOutage(outages: readonly Outage[]): Outage {
  const of = (figure: (outage: Outage) => number): number => median(outages.map(figure))
  return {
    all: of(({ all }) => all),
    survivors: of(({ survivors }) => survivors),
    struck: of(({ struck }) => struck),
    failures: {
      unsent: of(({ failures }) => failures.unsent),
      refused: of(({ failures }) => failures.refused),
      unknown: of(({ failures }) => failures.unknown),
    },
    failuresAtSurvivors: of(({ failuresAtSurvivors }) => failuresAtSurvivors),
    errors: [...new Set(outages.flatMap(({ errors }) => errors))],
  }
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? 0
}
