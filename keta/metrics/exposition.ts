/** Prometheus' text format, version 0.0.4. Values are collected when they are asked for, not when they change. */
import type { Histogram } from './histogram.ts'

export type Labels = Readonly<Record<string, string>>

export interface Sample {
  readonly labels?: Labels
  readonly value: number | Histogram
}

/** All samples of one name. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly collect: () => number | Histogram | Iterable<Sample>
}

export function counter(name: string, help: string, collect: Family['collect']): Family {
  return { name, help, type: 'counter', collect }
}

export function gauge(name: string, help: string, collect: Family['collect']): Family {
  return { name, help, type: 'gauge', collect }
}

export function histogram(name: string, help: string, collect: Family['collect']): Family {
  return { name, help, type: 'histogram', collect }
}

export function exposition(families: readonly Family[]): string {
  const sorted = [...families].sort((a, b) => (a.name < b.name ? -1 : 1))
  return sorted.map(familyText).join('')
}

function familyText({ name, help, type, collect }: Family): string {
  const collected = collect()
  const samples = isIterable(collected) ? [...collected] : [{ value: collected }]
  if (samples.length === 0) return ''
  const lines = samples.flatMap((sample) => sampleLines(name, sample))
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`
}

function isIterable(collected: number | Histogram | Iterable<Sample>): collected is Iterable<Sample> {
  return typeof collected === 'object' && Symbol.iterator in collected
}

function sampleLines(name: string, { labels = {}, value }: Sample): readonly string[] {
  if (typeof value === 'number') return [`${name}${labelsText(labels)} ${numberText(value)}`]
  const buckets = value
    .cumulative()
    .map(([bound, count]) => `${name}_bucket${labelsText({ ...labels, le: numberText(bound) })} ${count}`)
  return [
    ...buckets,
    `${name}_sum${labelsText(labels)} ${numberText(value.sum)}`,
    `${name}_count${labelsText(labels)} ${value.count}`,
  ]
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}
