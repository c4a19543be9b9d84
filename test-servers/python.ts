/** Python with packages that speak with servers, in environments of their own under .cache. */
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ensureFolder, stampOf } from './cached-folder.ts'
import { MissingToolchainError } from './server.ts'

const ETCD3GW = 'etcd3gw==2.7.0'
/** gRPC's core in C, and what makes modules of its protocols. */
const GRPC = ['grpcio==1.85.1', 'grpcio-tools==1.85.1']
const PROTOCOLS = fileURLToPath(new URL('../keta/proto', import.meta.url))
const FILES = ['authpb/auth.proto', 'mvccpb/kv.proto', 'etcdserverpb/rpc.proto']
const PYTHON = 'bin/python'
const run = promisify(execFile)

/**
 * The interpreter, with a client of etcd's JSON gateway.
 * @throws MissingToolchainError without Python 3 or its venv, or if the client can't be fetched
 */
export async function ensurePythonClient(): Promise<string> {
  const name = ETCD3GW.replace('==', '-')
  const folder = await ensureFolder({ name, stamp: ETCD3GW, make: (fresh) => install(fresh, [ETCD3GW]) })
  return join(folder, PYTHON)
}

/**
 * The interpreter, with gRPC, and the folder of the modules that are made of etcd's protocols.
 * @throws MissingToolchainError as `ensurePythonClient`
 */
export async function ensurePythonGrpc(): Promise<{ readonly python: string; readonly modules: string }> {
  const stamp = [...GRPC, stampOf(FILES.map((file) => join(PROTOCOLS, file)))].join()
  const folder = await ensureFolder({
    name: 'python-grpc',
    stamp,
    make: async (fresh) => {
      await install(fresh, GRPC)
      const modules = join(fresh, 'modules')
      mkdirSync(modules)
      const outputs = [`--python_out=${modules}`, `--grpc_python_out=${modules}`]
      await run(join(fresh, PYTHON), ['-m', 'grpc_tools.protoc', `-I${PROTOCOLS}`, ...outputs, ...FILES])
    },
  })
  return { python: join(folder, PYTHON), modules: join(folder, 'modules') }
}

/** The environment may be moved: it finds its packages by where its interpreter is. */
async function install(folder: string, packages: readonly string[]): Promise<void> {
  try {
    await run('python3', ['-m', 'venv', folder])
    const words = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages]
    await run(join(folder, PYTHON), words)
  } catch (cause) {
    throw new MissingToolchainError(`Python 3 cannot set up ${packages.join(' ')}: ${String(cause)}`, { cause })
  }
}
