import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js'

import { describeTransport } from '../transport-suite.ts'
import { createGrpcJsTransport } from './grpc-js-transport.ts'

// It writes to stderr what the tests provoke, and get as errors.
setLogVerbosity(logVerbosity.NONE)

describeTransport('grpc-js', createGrpcJsTransport)
