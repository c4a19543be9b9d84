/**
 * The part of the SPI that needs Node: finding and starting the plugin that a broker's server.properties names.
 * Apart from `spi` itself, so that the contract stays free of imports: a backend, a simulation or a browser page can
 * have the one without the other.
 */
export { ALIASES } from './aliases.ts'
export { findPlugin, type FoundPlugin, loadPlugin } from './load-plugin.ts'
export { parseProperties, type PropertiesFile, type PropertiesProblem, type Property } from './properties.ts'
export { type LoadedProperties, readPropertiesFile, SERVER_PROPERTIES } from './server-properties.ts'
