/**
 * gRPC server reflection, versions v1 and v1alpha: tells tools such as grpcurl what this server serves, from the
 * descriptions in proto/. The messages of both versions are the same.
 */
import { create, createRegistry, type DescFile, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'

import { file_etcdserverpb_rpc } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { file_health_health } from '../proto/gen/health/health_pb.js'
import {
  file_reflection_v1_reflection,
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from '../proto/gen/reflection/v1/reflection_pb.js'
import {
  file_reflection_v1alpha_reflection,
  ServerReflection as ServerReflectionAlpha,
} from '../proto/gen/reflection/v1alpha/reflection_pb.js'
import { file_v3electionpb_v3election } from '../proto/gen/v3electionpb/v3election_pb.js'
import { file_v3lockpb_v3lock } from '../proto/gen/v3lockpb/v3lock_pb.js'
import { type Method, type ServiceTable, STATUS, stream } from '../transport/transport.ts'

const FILES: readonly DescFile[] = [
  file_etcdserverpb_rpc,
  file_v3lockpb_v3lock,
  file_v3electionpb_v3election,
  file_health_health,
  file_reflection_v1_reflection,
  file_reflection_v1alpha_reflection,
]
const EVERY_FILE: readonly DescFile[] = [...new Set(FILES.flatMap((file) => [...withDependencies(file)]))]
const DESCRIPTIONS = createRegistry(...EVERY_FILE)

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse']>

/** @param services what is served beside reflection; services without a description are not told of. */
export function reflectionServices(services: ServiceTable): ServiceTable {
  const own = [ServerReflection.typeName, ServerReflectionAlpha.typeName]
  const names = [...services.keys(), ...own].filter((name) => DESCRIPTIONS.getService(name) !== undefined).sort()
  const info = reflect(names)
  return new Map(own.map((name) => [name, new Map([[ServerReflection.method.serverReflectionInfo.name, info]])]))
}

function reflect(names: readonly string[]): Method {
  return stream<ServerReflectionRequest, MessageInitShape<typeof ServerReflectionResponseSchema>>({
    decode: (bytes) => fromBinary(ServerReflectionRequestSchema, bytes),
    encode: (answer) => toBinary(ServerReflectionResponseSchema, create(ServerReflectionResponseSchema, answer)),
    open: (out) => ({
      message(request) {
        out.send({ validHost: request.host, originalRequest: request, messageResponse: answerTo(request, names) })
      },
      halfClosed: () => out.end(),
      drained: () => undefined,
      closed: () => undefined,
    }),
  })
}

function answerTo({ messageRequest }: ServerReflectionRequest, names: readonly string[]): Answer {
  switch (messageRequest.case) {
    case 'listServices':
      return { case: 'listServicesResponse', value: { service: names.map((name) => ({ name })) } }
    case 'fileByFilename':
      return described(
        EVERY_FILE.find(({ proto }) => proto.name === messageRequest.value),
        messageRequest.value,
      )
    case 'fileContainingSymbol':
      return described(fileOf(messageRequest.value), messageRequest.value)
    case 'fileContainingExtension':
      return notFound(messageRequest.value.containingType)
    case 'allExtensionNumbersOfType': {
      const { value } = messageRequest
      if (DESCRIPTIONS.getMessage(value) === undefined) return notFound(value)
      return { case: 'allExtensionNumbersResponse', value: { baseTypeName: value } }
    }
    case undefined: {
      const errorMessage = 'the request asks for nothing that is known'
      return { case: 'errorResponse', value: { errorCode: STATUS.INVALID_ARGUMENT, errorMessage } }
    }
  }
}

/** The file, after those that it needs. */
function described(file: DescFile | undefined, asked: string): Answer {
  if (file === undefined) return notFound(asked)
  const fileDescriptorProto = [...withDependencies(file)]
    .reverse()
    .map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto))
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } }
}

function notFound(asked: string): Answer {
  return { case: 'errorResponse', value: { errorCode: STATUS.NOT_FOUND, errorMessage: `not found: ${asked}` } }
}

/** Of a service, a message or an enumeration; or of what is in one, such as a method. */
function fileOf(symbol: string): DescFile | undefined {
  const description = DESCRIPTIONS.get(symbol)
  if (description !== undefined) return description.file
  const dot = symbol.lastIndexOf('.')
  return dot === -1 ? undefined : fileOf(symbol.slice(0, dot))
}

/** The file first. */
function withDependencies(file: DescFile): ReadonlySet<DescFile> {
  return new Set([file, ...file.dependencies.flatMap((dependency) => [...withDependencies(dependency)])])
}
