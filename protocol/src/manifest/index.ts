export * from './float32.ts'
export * from './golden.ts'
export * from './manifest.ts'
export * from './quantiles.ts'
