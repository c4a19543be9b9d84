/** The end of a connection without a farewell. */
import type { Socket } from 'node:net'

/**
 * Closes with a reset. While the end of its stream is on its way out, a socket cannot be reset – libuv refuses, and
 * node then forgets to close it, which also keeps the process from ending – so it is closed instead. So is one that is
 * not connected yet: node would wait for that.
 */
export function resetSocket(socket: Socket): void {
  const isEnding = socket.writableEnded && !socket.writableFinished
  if (socket.connecting || isEnding) socket.destroy()
  else socket.resetAndDestroy()
}
