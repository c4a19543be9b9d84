import { createFileRegistry, create, fromBinary } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { expect } from 'chai'

import { ServerReflection } from '../proto/gen/reflection/v1/reflection_pb.js'
import { ServerReflection as Alpha } from '../proto/gen/reflection/v1alpha/reflection_pb.js'
import { servedEngine, TestStream } from './test-client.fixture.ts'

const { serverReflectionInfo } = ServerReflection.method

describe('reflection', () => {
  const { services } = servedEngine()

  it('tells of every service, in both versions', async () => {
    for (const method of [serverReflectionInfo, Alpha.method.serverReflectionInfo]) {
      const asked = new TestStream(services, method)
      await asked.send({ host: 'h', messageRequest: { case: 'listServices', value: '' } })
      const [answer] = asked.answers
      expect(answer?.validHost).to.equal('h')
      const { messageResponse } = answer!
      if (messageResponse.case !== 'listServicesResponse') throw new Error(`answered with ${messageResponse.case}`)
      expect(messageResponse.value.service.map(({ name }) => name)).to.deep.equal([...services.keys()].sort())
      asked.halfClose()
      expect(asked.ended).to.equal(true)
    }
  })

  it('describes every method of every service that there is, with all that it needs', async () => {
    for (const [service, methods] of services) {
      const asked = new TestStream(services, serverReflectionInfo)
      await asked.send({ messageRequest: { case: 'fileContainingSymbol', value: service } })
      const messageResponse = asked.answers[0]!.messageResponse
      if (messageResponse.case !== 'fileDescriptorResponse') throw new Error(`answered with ${messageResponse.case}`)
      const file = messageResponse.value.fileDescriptorProto.map((bytes) =>
        fromBinary(FileDescriptorProtoSchema, bytes),
      )
      const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }))
      const described = registry.getService(service)?.methods.map(({ name }) => name)
      expect(described).to.include.members([...methods.keys()])
    }
  })

  it('finds files by what is in them and by name, and says what it does not find', async () => {
    const asked = new TestStream(services, serverReflectionInfo)
    const requests = [
      { case: 'fileContainingSymbol', value: 'etcdserverpb.KV.Put' },
      { case: 'fileContainingSymbol', value: 'mvccpb.Event.EventType' },
      { case: 'fileByFilename', value: 'mvccpb/kv.proto' },
      { case: 'allExtensionNumbersOfType', value: 'mvccpb.KeyValue' },
      { case: 'fileContainingSymbol', value: 'nonsense' },
      { case: 'fileByFilename', value: 'nonsense.proto' },
      { case: 'fileContainingExtension', value: { containingType: 'mvccpb.KeyValue', extensionNumber: 1 } },
      { case: undefined },
    ] as const
    for (const messageRequest of requests) await asked.send({ messageRequest })
    expect(asked.answers.map(({ messageResponse }) => messageResponse.case)).to.deep.equal([
      ...['fileDescriptorResponse', 'fileDescriptorResponse', 'fileDescriptorResponse'],
      'allExtensionNumbersResponse',
      ...['errorResponse', 'errorResponse', 'errorResponse', 'errorResponse'],
    ])
  })
})
