/** From the value of `plugin.locator.classname` to a module's URL and the name of its export. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ALIASES } from './aliases.ts'
import { exportedFiles, type Manifest } from './package-exports.ts'

export interface Specifier {
  /** A path, a file URL, or `package/subpath`. */
  readonly module: string
  readonly exportName: string
}

/** Where to look. Absolute paths. */
export interface SearchPath {
  /** The folder of server.properties: relative paths start here, and the walk up through `node_modules`. */
  readonly base: string
  /** `plugin.additional.modules`, in order; before `node_modules`. */
  readonly additional: readonly string[]
}

export type Resolution = { readonly url: string } | { readonly problem: string }

/**
 * `module#export`, after aliases. The separator is `#`, because `:` stands in `node:` and in Windows paths; without it
 * the default export is meant.
 */
export function parseSpecifier(text: string): Specifier {
  const specifier = ALIASES.get(text) ?? text
  const hash = specifier.lastIndexOf('#')
  if (hash === -1) return { module: specifier, exportName: 'default' }
  return { module: specifier.slice(0, hash), exportName: specifier.slice(hash + 1) || 'default' }
}

/** Finds the file; does not run it. The problem is the end of a sentence that begins with the specifier. */
export function resolveModule(module: string, path: SearchPath): Resolution {
  if (module === '') return { problem: 'names no module' }
  if (module.startsWith('file:')) return existing(fileURLToPath(module))
  if (/^(\.{0,2}\/|\.{1,2}$)/.test(module)) return existing(resolve(path.base, module))
  const name = /^(@[^/\\%]+\/)?[^@./\\%][^/\\%]*/.exec(module)?.[0]
  if (name === undefined) return { problem: 'is neither a path, nor a file URL, nor the name of a package' }
  const subpath = `.${module.slice(name.length)}`
  const own = ownBackend(module)
  if (own !== undefined) return existing(own)
  const folders = packageFolders(name, path)
  const folder = folders.find((candidate) => readManifest(candidate) !== undefined)
  if (folder === undefined) return { problem: notFound(name, path) }
  return inPackage(folder, subpath)
}

/**
 * The backends of this very package: beside this file, in the sources as in what is published. A package that looks
 * itself up by name would find the published form only.
 */
function ownBackend(module: string): string | undefined {
  const backend = /^keta\/backends\/([a-z]+)$/.exec(module)?.[1]
  if (backend === undefined) return undefined
  const here = fileURLToPath(import.meta.url)
  return join(dirname(here), '..', '..', 'backends', backend, `index${extname(here)}`)
}

/** Where a package of that name may be, most wanted first. */
function packageFolders(name: string, { base, additional }: SearchPath): string[] {
  const folders: string[] = []
  for (const folder of additional) {
    if (readManifest(folder)?.name === name) folders.push(folder)
    folders.push(join(folder, name), join(folder, 'node_modules', name))
  }
  for (const start of [base, dirname(fileURLToPath(import.meta.url))]) {
    for (let folder = start; ; folder = dirname(folder)) {
      folders.push(join(folder, 'node_modules', name))
      if (dirname(folder) === folder) break
    }
  }
  return folders
}

function inPackage(folder: string, subpath: string): Resolution {
  const files = exportedFiles(readManifest(folder) ?? {}, subpath)
  if (files.length === 0) return { problem: `is not exported by ${join(folder, 'package.json')} for ES modules` }
  for (const file of files) {
    const found = existing(join(folder, file))
    if ('url' in found) return found
  }
  return { problem: `leads to ${join(folder, files[0] ?? '')}, which does not exist` }
}

function existing(file: string): Resolution {
  if (!existsSync(file)) return { problem: `leads to ${file}, which does not exist` }
  if (statSync(file).isDirectory()) return { problem: `leads to ${file}, which is a folder: name the file` }
  return { url: pathToFileURL(file).href }
}

function readManifest(folder: string): Manifest | undefined {
  const file = join(folder, 'package.json')
  if (!existsSync(file)) return undefined
  try {
    const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return typeof manifest === 'object' && manifest !== null ? manifest : undefined
  } catch {
    // as good as none: what was asked for is then reported as not found
    return undefined
  }
}

function notFound(name: string, { base, additional }: SearchPath): string {
  const looked = [...additional, `node_modules of ${base} and above`].join(', ')
  const isJavaClass = /^[a-z_]\w*(\.\w+)+$/i.test(name)
  const advice = isJavaClass
    ? `; Java classes are known by alias only: ${[...ALIASES.keys()].join(', ')}`
    : `; install it, or name its folder in plugin.additional.modules`
  return `is in none of: ${looked}${advice}`
}
