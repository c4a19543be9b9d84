/** Short names of the backends that come with this package, and the names that KIP-30's own plugin is known by. */

const BUILT_IN: Readonly<Record<string, string>> = {
  keta: 'keta/backends/keta#KetaPluginLocator',
  etcd: 'keta/backends/etcd#EtcdPluginLocator',
  memory: 'keta/backends/memory#MemoryPluginLocator',
  cassandra: 'keta/backends/cassandra#CassandraPluginLocator',
  zookeeper: 'keta/backends/zookeeper#ZooKeeperPluginLocator',
  // the class of riptano/kafka-cassandra-plugin: its server.properties work here as they are
  'ly.stealth.kafka.plugin.cassandra.CassandraPluginLocator': 'keta/backends/cassandra#CassandraPluginLocator',
}

export const ALIASES: ReadonlyMap<string, string> = new Map(Object.entries(BUILT_IN))
