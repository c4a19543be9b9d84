/** A configuration that a program gave cannot be used. */

/** A given value is not one that the option takes, or does not fit the others. The message names every such option. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  readonly code = 'INVALID_CONFIGURATION'
}
