/** Kafka's releases for tests, and how Java is started on them. */
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { installJars, type JavaInstallation, type JavaRelease } from './java-installation.ts'

/** 3.9 is the last line that older clients know, 4 the newest. */
export type KafkaVersion = '3.9' | '4'

const RELEASES: Readonly<Record<KafkaVersion, string>> = { '3.9': '3.9.2', '4': '4.4.0' }
const SOURCES = fileURLToPath(new URL('./kafka', import.meta.url))

export function kafkaRelease(version: KafkaVersion): JavaRelease {
  return { product: 'Kafka', name: `kafka-${RELEASES[version]}`, pom: join(SOURCES, version, 'pom.xml') }
}

/** @throws MissingToolchainError without Java 17 or, when the jars are not there yet, without Maven */
export function installKafka(version: KafkaVersion): Promise<JavaInstallation> {
  return installJars(kafkaRelease(version))
}

/** Java's arguments up to the main class: made for a quick start and little memory. */
export function javaArguments({ directory }: JavaInstallation, heapMb: number): readonly string[] {
  const log4j = pathToFileURL(join(SOURCES, 'log4j.properties')).href
  return [
    ...[`-Xmx${heapMb}m`, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
    ...['-cp', join(directory, 'libs', '*'), `-Dlog4j.configuration=${log4j}`],
    ...['showDateTime=true', 'dateTimeFormat=HH:mm:ss.SSS'].map((setting) => `-Dorg.slf4j.simpleLogger.${setting}`),
  ]
}
