/** Field numbers of the dump format, see dump-format.md. */
export const DUMP_FORMAT = 1

export const CHUNK_HEADER = 1
export const CHUNK_ORDINAL = 2
export const CHUNK_SUB = 3
export const CHUNK_KEY_VALUE = 4
export const CHUNK_END = 5

export const HEADER_FORMAT = 1
export const HEADER_REVISION = 2
/** One more than the compacted revision: 0 if the store was never compacted. */
export const HEADER_COMPACT_REVISION = 3
export const HEADER_ORDINALS = 4

export const END_VERSIONS = 1

export const KEY_VALUE_KEY = 1
export const KEY_VALUE_CREATE_REVISION = 2
export const KEY_VALUE_MOD_REVISION = 3
export const KEY_VALUE_VERSION = 4
export const KEY_VALUE_VALUE = 5
export const KEY_VALUE_LEASE = 6
