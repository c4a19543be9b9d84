/**
 * What the process takes: CPU, memory, files, and how late its event loop is. Names of the Prometheus client for Go
 * where the thing is the same, keta_ where Node has something of its own.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'

import { counter, type Family, gauge } from './exposition.ts'

const MICROSECONDS = 1e6
const NANOSECONDS = 1e9
/** How often the lag of the event loop is looked at. */
const LAG_RESOLUTION_MS = 20
const QUANTILES = [50, 99, 100]

export interface ProcessMetrics {
  readonly families: readonly Family[]
  stop(): void
}

export function processMetrics(): ProcessMetrics {
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
  lag.enable()
  const startTime = Date.now() / 1000 - process.uptime()
  return {
    families: [
      counter('process_cpu_seconds_total', 'User and system CPU time, in seconds.', () => {
        const { user, system } = process.cpuUsage()
        return (user + system) / MICROSECONDS
      }),
      gauge('process_start_time_seconds', 'When the process started, in seconds since the epoch.', () => startTime),
      gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss()),
      gauge('process_virtual_memory_bytes', 'Virtual memory.', virtualMemoryBytes),
      gauge('process_open_fds', 'Open file descriptors.', openFiles),
      gauge('process_max_fds', 'Most file descriptors that may be open.', mostFiles),
      gauge('os_fd_used', 'Open file descriptors.', openFiles),
      gauge('os_fd_limit', 'Most file descriptors that may be open.', mostFiles),
      gauge(
        'go_goroutines',
        'Requests, timers and sockets that keep the process awake: what comes nearest to goroutines.',
        () => process.getActiveResourcesInfo().length,
      ),
      gauge('go_memstats_alloc_bytes', 'Bytes in use on the heap.', () => getHeapStatistics().used_heap_size),
      gauge('go_memstats_heap_alloc_bytes', 'Bytes in use on the heap.', () => getHeapStatistics().used_heap_size),
      gauge('go_memstats_heap_sys_bytes', 'Bytes of the heap.', () => getHeapStatistics().total_heap_size),
      gauge('keta_heap_limit_bytes', 'Size that the heap cannot exceed.', () => getHeapStatistics().heap_size_limit),
      gauge(
        'keta_external_memory_bytes',
        'Memory outside of the heap: buffers and the store.',
        () => process.memoryUsage().external,
      ),
      gauge('keta_event_loop_lag_seconds', 'How late the event loop was since the last scrape, by quantile.', () => {
        const samples = QUANTILES.map((quantile) => ({
          labels: { quantile: String(quantile / 100) },
          value: seconds(lag.percentile(quantile)),
        }))
        lag.reset()
        return samples
      }),
      counter(
        'keta_event_loop_busy_seconds_total',
        'Time in which the event loop was at work.',
        () => performance.eventLoopUtilization().active / 1000,
      ),
    ],
    stop: () => {
      lag.disable()
    },
  }
}

function seconds(nanoseconds: number): number {
  return Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / NANOSECONDS - LAG_RESOLUTION_MS / 1000) : 0
}

/** Where there is no /proc the sample is left out. */
function fromProc(read: () => number): number | readonly [] {
  try {
    const value = read()
    return Number.isFinite(value) ? value : []
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function openFiles(): number | readonly [] {
  return fromProc(() => readdirSync('/proc/self/fd').length)
}

function mostFiles(): number | readonly [] {
  return fromProc(() => Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]))
}

function virtualMemoryBytes(): number | readonly [] {
  return fromProc(() => 1024 * Number(/^VmSize:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]))
}
