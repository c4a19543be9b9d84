/** The locator: `plugin.locator.classname=./examples/custom-backend/index.js#DirectoryPluginLocator`. */
import { join } from 'node:path'
import { AbstractPluginLocator, type StoreDriver } from 'keta/backends/shared'
import { API_VERSION, CoordinationError, defineConfig, parseConfig, type PluginContext } from 'keta/spi'
import { DirectoryDriver } from './driver.ts'
import { LONGEST_STEP_MS } from './expiry.ts'
import { asError } from './log.ts'
import { createLog, exists, folderOf } from './segments.ts'

const CONFIG = defineConfig({
  'plugin.directory.path': {
    type: 'string',
    doc: 'The shared directory. It must be there: one that is missing may be a disk that is not mounted.',
  },
  'plugin.directory.poll.ms': {
    type: 'int',
    default: '50',
    doc: 'How often the log is looked at even if the system does not tell of new files, milliseconds.',
    validate: (ms) => (ms >= 5 && ms <= LONGEST_STEP_MS ? undefined : `must be from 5 to ${LONGEST_STEP_MS}`),
  },
  'plugin.directory.segment.files': {
    type: 'int',
    default: '1000',
    doc: 'After so many files of the log a snapshot takes their place.',
    validate: (files) => (files >= 10 ? undefined : 'must be at least 10'),
  },
})

export class DirectoryPluginLocator extends AbstractPluginLocator {
  static readonly apiVersion = API_VERSION
  static readonly configDef = CONFIG

  protected async connect(context: PluginContext): Promise<StoreDriver> {
    const config = parseConfig(CONFIG, context.config)
    const path = config['plugin.directory.path']
    const cluster = folderOf(context.clusterId)
    try {
      if (!(await exists(path)))
        throw new CoordinationError('CONNECTION', `${path} is not there`, { backend: 'directory' })
      await createLog(path, cluster)
      return await DirectoryDriver.open(context, {
        folder: join(path, cluster),
        pollMs: config['plugin.directory.poll.ms'],
        segmentFiles: config['plugin.directory.segment.files'],
      })
    } catch (error) {
      throw asError(error, 'none')
    }
  }
}
