/** Why a text is not a value of an option. */

/** The message is the reason, or empty if what the option expects says it all. */
export class InvalidValue extends Error {
  override readonly name = 'InvalidValue'
}
