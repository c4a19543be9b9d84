/** A setting as a source gave it, before anything is known about its name or its value. */

export type SourceKind = 'flag' | 'env' | 'file' | 'default'

export interface Setting {
  /** The name as it was written there, without leading dashes. */
  readonly name: string
  readonly value: string
  readonly source: Exclude<SourceKind, 'default'>
  /** Where it stands, for messages: "--data-dir", "KETA_DATA_DIR", "keta.yaml:12". */
  readonly where: string
}

/** Something wrong with the configuration, as one line for a person. */
export type Problem = string

/** What reading one source gave. */
export interface Reading {
  readonly settings: readonly Setting[]
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
}
