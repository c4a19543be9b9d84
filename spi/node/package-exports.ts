/**
 * Which file of a package a subpath names: Node's PACKAGE_EXPORTS_RESOLVE, as far as packages use it.
 *
 * Our own because Node's is out of reach for a package outside of our node_modules: `createRequire(dir).resolve` knows
 * only the condition `require` and fails for a package that has `import` alone, and `import.meta.resolve` takes a
 * second argument only behind a flag.
 */

/** In a package's own order the first one that matches wins, as in Node. */
const CONDITIONS: ReadonlySet<string> = new Set(['node', 'import', 'default'])

/** The fields of a package.json that matter here. Anything may stand in them. */
export interface Manifest {
  readonly name?: unknown
  readonly main?: unknown
  readonly exports?: unknown
}

/**
 * @param subpath `.` or `./sub/path`.
 * @returns paths below the package's folder, beginning with `./`, to be tried in turn: only a package without `exports`
 * has more than one. None if the package does not export the subpath.
 */
export function exportedFiles({ exports, main }: Manifest, subpath: string): readonly string[] {
  if (exports === undefined || exports === null) return subpath === '.' ? mainFiles(main) : [subpath]
  const target = isSubpaths(exports) ? subpathTarget(exports, subpath) : subpath === '.' ? pick(exports, '') : undefined
  return target === undefined || !isInside(target) ? [] : [target]
}

/** Before `exports` there was `main`, which may leave out its extension, or be a folder. */
function mainFiles(main: unknown): readonly string[] {
  if (typeof main !== 'string' || main === '') return ['./index.js']
  const path = main.startsWith('./') ? main : `./${main}`
  return [path, `${path}.js`, `${path}/index.js`, './index.js']
}

/** An object whose keys begin with a dot maps subpaths; any other form is the package itself. */
function isSubpaths(exports: unknown): exports is Readonly<Record<string, unknown>> {
  return isObject(exports) && Object.keys(exports).some((key) => key.startsWith('.'))
}

function subpathTarget(exports: Readonly<Record<string, unknown>>, subpath: string): string | undefined {
  if (Object.hasOwn(exports, subpath) && !subpath.includes('*')) return pick(exports[subpath], '')
  const patterns = Object.keys(exports)
    .map((key) => ({ key, star: key.indexOf('*') }))
    .filter(({ star }) => star !== -1)
    // the longest prefix before the star is the most specific, then the longest key
    .sort((a, b) => b.star - a.star || b.key.length - a.key.length)
  for (const { key, star } of patterns) {
    const before = key.slice(0, star)
    const after = key.slice(star + 1)
    const fits = subpath.length >= key.length && subpath.startsWith(before) && subpath.endsWith(after)
    if (fits) return pick(exports[key], subpath.slice(star, subpath.length - after.length))
  }
  return undefined
}

/** null means "not exported", and ends the search; undefined means "no condition matched", and goes on. */
function pick(target: unknown, star: string): string | undefined {
  return pickTarget(target, star) ?? undefined
}

function pickTarget(target: unknown, star: string): string | null | undefined {
  if (target === null) return null
  if (typeof target === 'string') return target.replaceAll('*', () => star)
  if (Array.isArray(target)) {
    for (const alternative of target as unknown[]) {
      const picked = pickTarget(alternative, star)
      if (typeof picked === 'string' && isInside(picked)) return picked
    }
    return undefined
  }
  if (!isObject(target)) return undefined
  for (const [condition, inner] of Object.entries(target)) {
    if (!CONDITIONS.has(condition)) continue
    const picked = pickTarget(inner, star)
    if (picked !== undefined) return picked
  }
  return undefined
}

/** A target must stay in its package. */
function isInside(target: string): boolean {
  return (
    target.startsWith('./') &&
    !target
      .split('/')
      .slice(1)
      .some((part) => /^(\.|\.\.|node_modules|)$/.test(part))
  )
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
