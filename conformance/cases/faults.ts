/** Part F of the catalogue: faults of servers and networks. */
import type { ConformanceCase } from '../kit/case.ts'
import { faultsNetwork } from './faults-network.ts'
import { faultsServers } from './faults-servers.ts'

export const faultCases: readonly ConformanceCase[] = [...faultsServers, ...faultsNetwork]
