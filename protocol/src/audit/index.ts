export * from './chain.ts'
export * from './checkpoint.ts'
export * from './page.ts'
