/**
 * Whether a history could have come from one object that does one operation after another, each at some moment between
 * its invocation and its return: the search of Wing and Gong, with Lowe's memory of what has been tried.
 */

/** What the object does. States are immutable. */
export interface Model<State, Op> {
  readonly initial: State
  /** The state after the operation; undefined if the operation cannot have returned what it returned. */
  step(state: State, operation: Op): State | undefined
  /** Equal iff the states are. */
  fingerprint(state: State): string
}

export interface Timed {
  readonly invokedAt: number
  /** Of an open operation without meaning: it may take effect at any time from its invocation on, or never. */
  readonly returnedAt: number
}

export interface Verdict<Op> {
  readonly linearizable: boolean
  /** The longest order found: all of the completed operations if there is one for them. */
  readonly longest: readonly Op[]
  /** What could not be placed after the longest order: one of these is wrong. */
  readonly stuck: readonly Op[]
}

export interface SearchOptions<Op> {
  /** Its outcome is unknown. The model lets it do nothing where it could not succeed. */
  isOpen(operation: Op): boolean
  /** To give up after so many steps. */
  readonly maxSteps?: number
}

/** An invocation or a return, in a list in order of time from which the placed operations are taken out. */
interface Node<Op> {
  readonly operation: Op
  /** Number of the operation: its bit. */
  readonly bit: bigint
  /** Of an invocation that has one. */
  readonly return: Node<Op> | undefined
  readonly isReturn: boolean
  previous: Node<Op> | undefined
  next: Node<Op> | undefined
}

interface Placed<State, Op> {
  readonly node: Node<Op>
  readonly before: State
}

const MAX_STEPS = 5_000_000

/** @throws Error if it has not found out after `maxSteps`. */
export function checkLinearizable<State, Op extends Timed>(
  model: Model<State, Op>,
  operations: readonly Op[],
  { isOpen, maxSteps = MAX_STEPS }: SearchOptions<Op>,
): Verdict<Op> {
  const head = makeList(operations, isOpen)
  let left = operations.filter((operation) => !isOpen(operation)).length
  let state = model.initial
  let done = 0n
  const order: Placed<State, Op>[] = []
  const tried = new Set<string>()
  let longest: readonly Op[] | undefined
  let stuck: readonly Op[] = []
  let node = head.next
  for (let steps = 0; left > 0; steps++) {
    if (steps > maxSteps) throw new Error(`no verdict on ${operations.length} operations after ${maxSteps} steps`)
    if (node !== undefined && !node.isReturn) {
      const after = model.step(state, node.operation)
      const isNew = after !== undefined && remember(tried, done | node.bit, model.fingerprint(after))
      if (!isNew) {
        node = node.next
        continue
      }
      order.push({ node, before: state })
      state = after
      done |= node.bit
      if (node.return !== undefined) left--
      takeOut(node)
      node = head.next
      continue
    }
    // somebody has returned whom we could not place: one of those placed was placed too early
    if (longest === undefined || order.length > longest.length) {
      longest = order.map((placed) => placed.node.operation)
      stuck = invokedBefore(head, node)
    }
    const last = order.pop()
    if (last === undefined) return { linearizable: false, longest, stuck }
    state = last.before
    done &= ~last.node.bit
    if (last.node.return !== undefined) left++
    putBack(last.node)
    node = last.node.next
  }
  return { linearizable: true, longest: order.map((placed) => placed.node.operation), stuck: [] }
}

/** @returns false if the same operations have led to the same state before: nothing new can follow. */
function remember(tried: Set<string>, done: bigint, fingerprint: string): boolean {
  const size = tried.size
  tried.add(`${done.toString(16)} ${fingerprint}`)
  return tried.size > size
}

function makeList<Op extends Timed>(operations: readonly Op[], isOpen: (operation: Op) => boolean): Node<Op> {
  const events: { readonly at: number; readonly node: Node<Op> }[] = []
  for (const [number, operation] of operations.entries()) {
    const common = { operation, bit: 1n << BigInt(number), previous: undefined, next: undefined }
    const end = isOpen(operation) ? undefined : { ...common, return: undefined, isReturn: true }
    if (end !== undefined) events.push({ at: operation.returnedAt, node: end })
    events.push({ at: operation.invokedAt, node: { ...common, return: end, isReturn: false } })
  }
  // at one reading of the clock invocations come first: what may have overlapped is taken to have
  events.sort((a, b) => a.at - b.at || Number(a.node.isReturn) - Number(b.node.isReturn))
  const head = { isReturn: true, previous: undefined, next: undefined } as Node<Op>
  let last = head
  for (const { node } of events) {
    last.next = node
    node.previous = last
    last = node
  }
  return head
}

function takeOut<Op>(node: Node<Op>): void {
  unlink(node)
  if (node.return !== undefined) unlink(node.return)
}

/** In the reverse order of taking out, so that the neighbours are there again. */
function putBack<Op>(node: Node<Op>): void {
  if (node.return !== undefined) relink(node.return)
  relink(node)
}

function unlink<Op>(node: Node<Op>): void {
  if (node.previous !== undefined) node.previous.next = node.next
  if (node.next !== undefined) node.next.previous = node.previous
}

function relink<Op>(node: Node<Op>): void {
  if (node.previous !== undefined) node.previous.next = node
  if (node.next !== undefined) node.next.previous = node
}

function invokedBefore<Op>(head: Node<Op>, end: Node<Op> | undefined): Op[] {
  const operations: Op[] = []
  for (let node = head.next; node !== undefined && node !== end; node = node.next) {
    if (!node.isReturn) operations.push(node.operation)
  }
  return operations
}
