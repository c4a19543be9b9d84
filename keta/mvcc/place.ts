/** Where the encoded bytes of versions lie, seen from a version. */

/** What names a version among all: no two have the same. */
export interface VersionPosition {
  readonly modRevision: number
  readonly sub: number
}

export interface Place {
  /**
   * The `length` bytes of the version at `position`. A view that stays as it is, whatever becomes of the version.
   * @param offset where the place said they are, if it is a place that looks there.
   */
  view(offset: number, length: number, position: VersionPosition): Uint8Array
}
