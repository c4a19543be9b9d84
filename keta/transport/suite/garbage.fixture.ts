/** For tests of what is kept in memory. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What this process keeps on the heap and in buffers, in bytes, when all that nobody refers to is gone. */
export function keptBytes(): number {
  // Some objects go only with the second look.
  collect()
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
