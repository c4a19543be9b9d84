/**
 * Lint rules: typescript-eslint's strict type-checked set, and the purity of the core.
 * Format is Biome's (config/biome.json), import direction dependency-cruiser's (config/dependency-cruiser.js).
 */
import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

/** Folders that must be deterministic: what they compute may depend on their arguments alone. */
const core = ['bytes', 'mvcc', 'watch', 'lease', 'auth', 'command', 'state']
const coreFiles = core.map((folder) => `keta/${folder}/**/*.ts`)
const testFiles = ['**/*.{test,arbitraries,fixture}.ts', '**/*-suite.ts', 'keta/test/**/*.ts', 'conformance/**/*.ts']

const impureGlobals = {
  'time comes in as an argument': ['Date', 'performance', 'Intl', 'Temporal'],
  'nothing is scheduled in the core; the engine drives it': [
    'setTimeout',
    'setInterval',
    'setImmediate',
    'clearTimeout',
    'clearInterval',
    'clearImmediate',
    'queueMicrotask',
    'Promise',
    'AbortController',
    'AbortSignal',
    'EventTarget',
    'MessageChannel',
    'BroadcastChannel',
  ],
  'randomness comes in as an argument': ['crypto'],
  'the core does no input or output': ['process', 'console', 'fetch', 'WebSocket', 'require', 'navigator'],
  'it reaches every other global': ['global', 'globalThis'],
  'its effects depend on the garbage collector': ['WeakRef', 'FinalizationRegistry'],
  'the core is one synchronous thread': ['Atomics', 'SharedArrayBuffer', 'Worker'],
}

const impureProperties = [
  { object: 'Math', property: 'random', message: 'Randomness comes in as an argument.' },
  { property: 'localeCompare', message: 'Its order depends on the locale: compare with <.' },
  { property: 'toLocaleString', message: 'Its text depends on the locale.' },
]

const noAsync = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']
  .map((node) => `${node}[async=true]`)
  .concat('AwaitExpression', 'ForOfStatement[await=true]', 'ImportExpression')
  .map((selector) => ({ selector, message: 'The core is synchronous.' }))

export default defineConfig(
  { ignores: ['dist/', 'node_modules/', '.cache/', 'coverage/', 'keta/proto/gen/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts', '**/*.js', '**/*.mjs'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      eqeqeq: 'error',
      'no-promise-executor-return': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: false }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/prefer-readonly': 'error',
      // an async port is implemented by async functions, also where there is nothing to wait for: throws become
      // rejections
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/strict-boolean-expressions': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    files: coreFiles,
    ignores: testFiles,
    rules: {
      'no-restricted-globals': [
        'error',
        ...Object.entries(impureGlobals).flatMap(([why, names]) => names.map((name) => ({ name, message: `${why}.` }))),
      ],
      'no-restricted-properties': ['error', ...impureProperties],
      'no-restricted-syntax': ['error', ...noAsync],
    },
  },
  {
    files: testFiles,
    rules: {
      // chai: expect(x).to.be.true is an expression statement
      '@typescript-eslint/no-unused-expressions': 'off',
      // tests hand in doubles, and index what they have just counted
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
    },
  },
  {
    // typed by JSDoc, which cannot narrow what JSON.parse gives; tsc checks them too
    files: ['**/*.js', '**/*.mjs'],
    rules: { '@typescript-eslint/no-unsafe-assignment': 'off', '@typescript-eslint/no-unsafe-member-access': 'off' },
  },
  {
    // the tools' own configurations, which the type service does not find
    files: ['config/*.js'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { parserOptions: { projectService: false } },
  },
)
