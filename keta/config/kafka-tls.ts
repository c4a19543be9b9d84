/** The settings of TLS with Kafka, from the files that the options name. */
import type { TlsSettings } from '../kafka/client/client.ts'
import { type ReadFile, readFailure } from './files.ts'
import { InvalidValue } from './invalid-value.ts'
import { readCertificates, readIdentity } from './key-stores/key-store.ts'
import type { Config, OptionKey } from './options.ts'

/** What is wrong with the value of an option. */
export interface OptionProblem {
  readonly key: OptionKey
  readonly problem: string
}

/** No `tls` if the protocol is one without, or if there are problems. */
export function tlsSettings(
  config: Config,
  readFile: ReadFile,
): { readonly tls?: TlsSettings; readonly problems: readonly OptionProblem[] } {
  if (!config.kafkaSecurityProtocol.endsWith('SSL')) return { problems: [] }
  const problems: OptionProblem[] = []

  /** What `use` makes of the file that an option names; undefined if it names none, or if that failed. */
  function fromFile<T>(key: 'kafkaSslCaFile' | 'kafkaSslCertFile' | 'kafkaSslKeyFile', use: (bytes: Buffer) => T) {
    const path = config[key]
    if (path === '') return undefined
    try {
      return use(readFile(path))
    } catch (error) {
      const reason = error instanceof InvalidValue ? error.message : readFailure(error)
      problems.push({ key, problem: `${path}: ${reason}` })
      return undefined
    }
  }

  const ca = fromFile('kafkaSslCaFile', (bytes) =>
    readCertificates(config.kafkaSslCaFile, bytes, config.kafkaSslCaPassword),
  )
  const keyFile = fromFile('kafkaSslKeyFile', (bytes) => bytes)
  const keyIsMissing = config.kafkaSslKeyFile !== '' && keyFile === undefined
  const identity = keyIsMissing
    ? undefined
    : fromFile('kafkaSslCertFile', (bytes) =>
        readIdentity(config.kafkaSslCertFile, bytes, {
          storePassword: config.kafkaSslCertPassword,
          keyPassword: config.kafkaSslKeyPassword,
          ...(keyFile === undefined ? {} : { keyFile }),
        }),
      )
  if (problems.length > 0) return { problems }
  return {
    tls: { verifyHostname: config.kafkaSslVerifyHostname, ...(ca === undefined ? {} : { ca }), ...identity },
    problems,
  }
}
