/** Whether a server.properties is right, the broker's part of it and the plugin's, before anything is touched. */
import { CoordinationError, isCoordinationError, type Logger } from 'keta/spi'
import { findPlugin } from 'keta/spi/node'
import { type BrokerConfig, readBrokerConfig } from './config.ts'

/** @throws CoordinationError CONFIG with all problems at once. */
export async function checkConfiguration(file: string, logger: Logger): Promise<BrokerConfig> {
  const problems: string[] = []
  const collect = (error: unknown) => {
    if (!isCoordinationError(error, 'CONFIG')) throw error
    problems.push(...(error.problems ?? [error.message]))
  }
  await findPlugin(file, { logger }).catch(collect)
  let config: BrokerConfig | undefined
  try {
    config = readBrokerConfig(file, (warning) => logger.warn(warning))
  } catch (error) {
    collect(error)
  }
  if (config !== undefined && problems.length === 0) return config
  const all = [...new Set(problems)]
  const message = `${all.length} problems in the configuration:\n  - ${all.join('\n  - ')}`
  throw new CoordinationError('CONFIG', all.length === 1 ? `${all[0]}` : message, { problems: all })
}
