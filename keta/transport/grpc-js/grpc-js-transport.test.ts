import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js'

import { testTls } from '../front/server-tls.fixture.ts'
import { describeTransport } from '../transport-suite.ts'
import { createGrpcJsTransport } from './grpc-js-transport.ts'

// It writes to stderr what the tests provoke, and get as errors.
setLogVerbosity(logVerbosity.NONE)

describeTransport('grpc-js', createGrpcJsTransport, { isStrict: false })
describeTransport('grpc-js over TLS', createGrpcJsTransport, { isStrict: false, secure: testTls() })
