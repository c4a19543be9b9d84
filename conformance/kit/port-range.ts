/**
 * Which ports test runs take that go on side by side on one machine. A port is free for seconds between its choice and
 * its use, and while a server is dead or a proxy refuses connections; a run next to this one must not take it then.
 */

export interface PortRange {
  readonly lowest: number
  /** Not in it. */
  readonly end: number
}

/**
 * The half of the range that is for this run: KETA_PORT_HALF 'lower' or 'upper'. The whole of it if that is not set.
 * Ranges should be below the ephemeral one, so that no outgoing connection can be given a port of them.
 */
export function ownPorts({ lowest, end }: PortRange, half = process.env['KETA_PORT_HALF']): PortRange {
  const middle = Math.floor((lowest + end) / 2)
  if (half === 'lower') return { lowest, end: middle }
  if (half === 'upper') return { lowest: middle, end }
  return { lowest, end }
}
