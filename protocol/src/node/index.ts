export * from './crc32.zlib.ts'
export * from './ed25519.crypto.ts'
export * from './hash.crypto.ts'
export * from './write.fs.ts'
