/**
 * Shows how far a long piece of work has come: a bar on a terminal, a line every two seconds elsewhere. Short work
 * shows nothing.
 */

export interface ProgressMoment {
  /** What is going on: "replay". */
  readonly label: string
  /** What is counted: "records", or "bytes", which are scaled to KiB, MiB, …. */
  readonly unit: string
  readonly done: number
  readonly total: number
  readonly elapsedMs: number
}

/** "replay 41 % 1.2M/3.0M records 310k/s eta 6s". */
export function formatProgress(moment: ProgressMoment): string {
  const { label, unit, done, total, elapsedMs } = moment
  const scale = unit === 'bytes' ? bytesText : countText
  const perSecond = elapsedMs > 0 ? (done / elapsedMs) * 1000 : 0
  const rate = perSecond > 0 ? ` ${scale(perSecond)}/s eta ${etaText((total - done) / perSecond)}` : ''
  const counted = unit === 'bytes' ? '' : ` ${unit}`
  return `${label} ${percent(done, total)} % ${scale(done)}/${scale(total)}${counted}${rate}`
}

/** "[########------------] replay 41 % …". */
export function formatBar(moment: ProgressMoment): string {
  const cells = 20
  const filled = Math.floor((percent(moment.done, moment.total) / 100) * cells)
  return `[${'#'.repeat(filled)}${'-'.repeat(cells - filled)}] ${formatProgress(moment)}`
}

export interface ProgressOptions {
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** On a terminal: takes the bar and the control characters that redraw it. Undefined elsewhere. */
  readonly terminal: ((text: string) => void) | undefined
  /** Elsewhere: takes one line, without newline. */
  readonly line: (text: string) => void
}

export interface Progress {
  /** Cheap enough for every batch. A label other than the last begins a new piece of work. */
  update(label: string, unit: string, done: number, total: number): void
  /** Removes the bar. */
  finish(): void
}

const BAR_INTERVAL_MS = 100
const LINE_INTERVAL_MS = 2000
/** How long work must take to be shown on a terminal. */
const BAR_DELAY_MS = 500

export function createProgress(options: ProgressOptions): Progress {
  const { now, terminal, line } = options
  const interval = terminal === undefined ? LINE_INTERVAL_MS : BAR_INTERVAL_MS
  let current: { readonly label: string; readonly startedAt: number; shownAt: number } | undefined
  let drawn = false

  return {
    update(label, unit, done, total) {
      const time = now()
      if (current?.label !== label) {
        const delay = terminal === undefined ? 0 : BAR_DELAY_MS - BAR_INTERVAL_MS
        current = { label, startedAt: time, shownAt: time + delay }
      }
      if (time - current.shownAt < interval) return
      current.shownAt = time
      const moment = { label, unit, done, total, elapsedMs: time - current.startedAt }
      if (terminal === undefined) line(formatProgress(moment))
      else terminal(`\r\x1b[K${formatBar(moment)}`)
      drawn = true
    },
    finish() {
      if (drawn) terminal?.('\r\x1b[K')
      current = undefined
      drawn = false
    },
  }
}

function percent(done: number, total: number): number {
  return total <= 0 ? 100 : Math.min(100, Math.floor((done / total) * 100))
}

function countText(count: number): string {
  if (count >= 999_500) return `${(count / 1e6).toFixed(1)}M`
  if (count >= 1000) return `${Math.round(count / 1000)}k`
  return String(Math.round(count))
}

function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let power = 0
  while (power < units.length - 1 && bytes / 1024 ** power >= 1023.5) power++
  return `${(bytes / 1024 ** power).toFixed(power > 1 ? 1 : 0)}${units[power] ?? ''}`
}

function etaText(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds))
  if (whole < 60) return `${whole}s`
  const minutes = Math.floor(whole / 60)
  return minutes < 60 ? `${minutes}m${whole % 60}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m`
}
