/** Fetching over HTTPS into a store, for tests that hold it against the real gateway listener. */
export { openStore } from './store.fs.ts'
export { createHttpsTransfer, type GatewayAccess } from './transfer.tls.ts'
