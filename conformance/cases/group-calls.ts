/** Calls that wait for an event, such as a join or a leadership: whether they still do. */

export interface UnderWay<T> {
  readonly settled: boolean
  readonly result: Promise<T>
}

/** A call that is looked at later; if the case ends before it, nobody minds its failure. */
export function underWay<T>(result: Promise<T>): UnderWay<T> {
  const call = { settled: false, result }
  const settle = () => {
    call.settled = true
  }
  result.then(settle, settle)
  return call
}
