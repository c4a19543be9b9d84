/**
 * The methods of a service table by their HTTP/2 path, and what is answered for a path that is none of them.
 */
import { type Method, RpcError, type ServiceTable, STATUS } from './transport.ts'

export function methodsByPath(services: ServiceTable): ReadonlyMap<string, Method> {
  const methods = new Map<string, Method>()
  for (const [service, table] of services) {
    for (const [name, method] of table) methods.set(`/${service}/${name}`, method)
  }
  return methods
}

/** grpc-go's answer for a path that nobody serves. */
export function unknownMethod(services: ServiceTable, path: string): RpcError {
  const slash = path.lastIndexOf('/')
  if (!path.startsWith('/') || slash === 0) return unimplemented(`malformed method name: ${JSON.stringify(path)}`)
  const service = path.slice(1, slash)
  if (!services.has(service)) return unimplemented(`unknown service ${service}`)
  return unimplemented(`unknown method ${path.slice(slash + 1)} for service ${service}`)
}

function unimplemented(text: string): RpcError {
  return new RpcError(STATUS.UNIMPLEMENTED, text)
}
