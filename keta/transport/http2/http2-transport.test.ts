import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js'

import { testTls } from '../front/server-tls.fixture.ts'
import { describeTransport } from '../transport-suite.ts'
import { createHttp2Transport } from './http2-transport.ts'

// The client writes to stderr what the tests provoke, and get as errors.
setLogVerbosity(logVerbosity.NONE)

describeTransport('http2', createHttp2Transport, { isStrict: true })
describeTransport('http2 over TLS', createHttp2Transport, { isStrict: true, secure: testTls() })
