/** Seals versions for a running control centre: with its release key, and with people's where the trust root asks for them. */

import { setTimeout as pause } from 'node:timers/promises'
import type { SealRelease } from '../lifecycle/lifecycle.ts'
import type { Trust } from '../trust/establish.fs.ts'
import { sealRelease } from '../trust/release-signatures.fs.ts'

/** `folder` is `<dataDir>/trust`. */
export const createReleaseSeal = (trust: Pick<Trust, 'chain' | 'release'>, folder: string): SealRelease => {
  const parts = {
    folder,
    root: trust.chain.current,
    release: () => trust.release,
    wait: (ms: number, signal: AbortSignal) => pause(ms, undefined, { signal }).catch(() => undefined),
  }
  return (_type, manifest, { signal, onProgress }) =>
    sealRelease(parts, manifest, { signal, onWaiting: (detail) => onProgress({ fraction: null, detail }) })
}
