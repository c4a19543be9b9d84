/** What one entry of the list of names says that other servers have and this one has not. */

export interface ForeignOption {
  /** Name as it is written; a trailing `*` stands for anything. */
  readonly name: string
  readonly from: 'etcd' | 'Java Keta'
  readonly treatment: 'ignored' | 'refused'
  /** Why, and for a refusal what to do instead. */
  readonly reason: string
  /** Values that ask for nothing: accepted in silence. */
  readonly harmless?: readonly string[]
  /** On the command line it takes no value of its own (`--flag` or `--flag=true`). */
  readonly boolean?: boolean
}

export function java(option: Omit<ForeignOption, 'from'>): ForeignOption {
  return { ...option, from: 'Java Keta' }
}
