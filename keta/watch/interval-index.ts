/**
 * A map from distinct key ranges to values that answers "which ranges contain this key?".
 *
 * An AVL tree ordered by (start, end) in which every node knows the greatest end below it. AVL and not a
 * randomised tree: the height is bounded for every order of insertion, whoever chooses the keys.
 */
import type { Key, KeyRange } from '../bytes/key.ts'

interface Node<V> {
  readonly start: Key
  /** null = no end: greater than every key. */
  readonly end: Key | null
  readonly value: V
  left: Node<V> | undefined
  right: Node<V> | undefined
  height: number
  /** The greatest end in this subtree. */
  maxEnd: Key | null
}

export class IntervalIndex<V> {
  #root: Node<V> | undefined
  #size = 0

  /** Number of ranges held. */
  get size(): number {
    return this.#size
  }

  /** Nodes on the longest path; at most 1.45 log2(size + 2). */
  get height(): number {
    return heightOf(this.#root)
  }

  /** The value of exactly this range. */
  get(range: KeyRange): V | undefined {
    let node = this.#root
    while (node !== undefined) {
      const order = compareToNode(range, node)
      if (order === 0) return node.value
      node = order < 0 ? node.left : node.right
    }
    return undefined
  }

  /** Adds a range, O(log n). The range must not be empty, and must not be in the index yet. */
  insert(range: KeyRange, value: V): void {
    this.#root = insertInto(this.#root, range, value)
    this.#size += 1
  }

  /** Removes exactly this range, O(log n). The range must be in the index. */
  remove(range: KeyRange): void {
    this.#root = removeFrom(this.#root, range)
    this.#size -= 1
  }

  /** Appends to `found` the values of all ranges that contain `key`, by (start, end). O((1 + hits) · log n). */
  collect(key: Key, found: V[]): void {
    collectFrom(this.#root, key, found)
  }
}

function collectFrom<V>(node: Node<V> | undefined, key: Key, found: V[]): void {
  if (node === undefined || !isBefore(key, node.maxEnd)) return
  collectFrom(node.left, key, found)
  if (key < node.start) return
  if (isBefore(key, node.end)) found.push(node.value)
  collectFrom(node.right, key, found)
}

function insertInto<V>(node: Node<V> | undefined, range: KeyRange, value: V): Node<V> {
  if (node === undefined) {
    const { start, end } = range
    return { start, end, value, left: undefined, right: undefined, height: 1, maxEnd: end }
  }
  const order = compareToNode(range, node)
  if (order === 0) throw new Error(`range ${describe(range)} is already in the interval index`)
  if (order < 0) node.left = insertInto(node.left, range, value)
  else node.right = insertInto(node.right, range, value)
  return balance(node)
}

function removeFrom<V>(node: Node<V> | undefined, range: KeyRange): Node<V> | undefined {
  if (node === undefined) throw new Error(`range ${describe(range)} is not in the interval index`)
  const order = compareToNode(range, node)
  if (order < 0) node.left = removeFrom(node.left, range)
  else if (order > 0) node.right = removeFrom(node.right, range)
  else return join(node.left, node.right)
  return balance(node)
}

/** One tree of two whose roots were the children of a removed node. */
function join<V>(left: Node<V> | undefined, right: Node<V> | undefined): Node<V> | undefined {
  if (right === undefined) return left
  const first = firstOf(right)
  first.right = withoutFirst(right)
  first.left = left
  return balance(first)
}

function firstOf<V>(node: Node<V>): Node<V> {
  let first = node
  while (first.left !== undefined) first = first.left
  return first
}

function withoutFirst<V>(node: Node<V>): Node<V> | undefined {
  if (node.left === undefined) return node.right
  node.left = withoutFirst(node.left)
  return balance(node)
}

/** Restores the AVL condition at `node`, whose subtrees satisfy it and differ in height by at most 2. */
function balance<V>(node: Node<V>): Node<V> {
  const tilt = heightOf(node.left) - heightOf(node.right)
  if (tilt > 1 && node.left !== undefined) {
    if (heightOf(node.left.left) < heightOf(node.left.right)) node.left = rotateLeft(node.left)
    return rotateRight(node)
  }
  if (tilt < -1 && node.right !== undefined) {
    if (heightOf(node.right.right) < heightOf(node.right.left)) node.right = rotateRight(node.right)
    return rotateLeft(node)
  }
  refresh(node)
  return node
}

function rotateRight<V>(node: Node<V>): Node<V> {
  const top = node.left
  if (top === undefined) throw new Error('rotation without a left child')
  node.left = top.right
  top.right = node
  refresh(node)
  refresh(top)
  return top
}

function rotateLeft<V>(node: Node<V>): Node<V> {
  const top = node.right
  if (top === undefined) throw new Error('rotation without a right child')
  node.right = top.left
  top.left = node
  refresh(node)
  refresh(top)
  return top
}

/** Recomputes what a node knows of its subtree from its children. */
function refresh<V>(node: Node<V>): void {
  const { left, right } = node
  node.height = 1 + Math.max(heightOf(left), heightOf(right))
  let maxEnd = node.end
  if (left !== undefined) maxEnd = laterEnd(maxEnd, left.maxEnd)
  if (right !== undefined) maxEnd = laterEnd(maxEnd, right.maxEnd)
  node.maxEnd = maxEnd
}

function heightOf(node: Node<unknown> | undefined): number {
  return node === undefined ? 0 : node.height
}

function laterEnd(a: Key | null, b: Key | null): Key | null {
  return a === null || b === null ? null : a < b ? b : a
}

function isBefore(key: Key, end: Key | null): boolean {
  return end === null || key < end
}

function compareToNode(range: KeyRange, node: Node<unknown>): number {
  if (range.start !== node.start) return range.start < node.start ? -1 : 1
  if (range.end === node.end) return 0
  return node.end !== null && (range.end === null || range.end > node.end) ? 1 : -1
}

function describe(range: KeyRange): string {
  return `[${JSON.stringify(range.start)}, ${JSON.stringify(range.end)})`
}
