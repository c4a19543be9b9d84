/**
 * What a put costs in our own code: everything but the gRPC transport, in this process. The service table is called as a
 * transport calls it, with encoded requests; CPU is that of the whole process, so the fsync thread and the garbage collector count.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
