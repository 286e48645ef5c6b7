export * from './authority.fs.ts'
export { openDeniedList } from './denied.fs.ts'
export * from './identity.ts'
export * from './material.fs.ts'
