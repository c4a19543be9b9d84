/** Keeps what the group's coordinator calls this node in a file. It is a hint: if it is lost, a session ends later. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Logger } from './client/ports.ts'
import type { NameMemory } from './group-membership.ts'

/** @param path of a file that belongs to this node alone, and outlives the process. */
export function nameFile(path: string, logger: Logger): NameMemory {
  return {
    recall() {
      try {
        const name = readFileSync(path, 'utf8').trim()
        return name === '' ? undefined : name
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') logger.warn(`cannot read ${path}`, { error })
        return undefined
      }
    },
    keep(kafkaId) {
      try {
        writeFileSync(path, `${kafkaId}\n`)
      } catch (error) {
        logger.warn(`cannot write ${path}`, { error })
      }
    },
  }
}
