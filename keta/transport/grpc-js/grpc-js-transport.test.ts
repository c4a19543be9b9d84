import { describeTransport } from '../transport-suite.ts'
import { createGrpcJsTransport } from './grpc-js-transport.ts'

describeTransport('grpc-js', createGrpcJsTransport)
