/**
 * Keeps the certificate of a running agent fresh: asks for the next one from two thirds of its life on, again and again
 * until it has it, puts it on disk and only then uses it. An expired certificate ends nothing here: readings are kept
 * and models serve, the alarm is raised once, and whatever heals it is noticed: an answer, or a person who enrols anew
 * beside the running agent.
 */

import { X509Certificate } from 'node:crypto'
import { Failure } from '@imlma/protocol/result'
import { readEnrolled, statEnrolled, writeEnrolled, type Enrolled } from './enrolled.fs.ts'
import { standingOf, type Validity } from './renewal.ts'

export interface RenewalParts {
  readonly dataDir: string
  /** Asks for the next one (`renew`). */
  readonly renew: (enrolled: Enrolled) => Promise<Enrolled>
  readonly now: () => number
  readonly monotonicMs: () => number
  readonly random: () => number
  /** There is another certificate, and it is on disk. */
  readonly onChange: (enrolled: Enrolled) => void
  /** A person should look at it: once for each certificate and kind. */
  readonly onTrouble: (trouble: Trouble) => void
  readonly onFailure: (cause: unknown) => void
}

export interface Trouble {
  readonly code: 'CERTIFICATE_EXPIRED' | 'CERTIFICATE_NOT_RENEWED'
  readonly notAfter: number
  /** What the last try said. */
  readonly because: string | null
}

export interface RenewalOptions {
  /** A file's time is looked at, and a clock. */
  readonly lookEveryMs?: number
  readonly retryDelayMsMin?: number
  /** A person who mends something waits for it at most so long, or enrols anew. */
  readonly retryDelayMsMax?: number
}

export interface Renewal {
  /** The timer does it; for tests with a clock of their own. */
  readonly look: () => Promise<void>
  readonly stop: () => void
}

export const startRenewal = (
  parts: RenewalParts,
  enrolled: Enrolled,
  { lookEveryMs = 10_000, retryDelayMsMin = 30_000, retryDelayMsMax = 3_600_000 }: RenewalOptions = {},
): Renewal => {
  const { dataDir, now, monotonicMs, random, onChange, onTrouble, onFailure } = parts
  let current = toCurrent(enrolled, random)
  let fileTime: number | undefined
  let attempt = 0
  let nextTryAt = 0
  let because: string | null = null
  let told = new Set<Trouble['code']>()
  let looking: Promise<void> | undefined
  let stopped = false

  const adopt = (next: Enrolled): void => {
    current = toCurrent(next, random)
    attempt = 0
    nextTryAt = 0
    because = null
    told = new Set()
    onChange(next)
  }
  const tell = (code: Trouble['code']): void => {
    if (told.has(code)) return
    told.add(code)
    onTrouble({ code, notAfter: current.enrolled.notAfter, because })
  }
  /** True where somebody has enrolled this gateway anew. */
  const reread = async (): Promise<boolean> => {
    const time = await statEnrolled(dataDir)
    if (time === fileTime) return false
    fileTime = time
    const found = await readEnrolled(dataDir)
    if (found === undefined || found.certificate === current.enrolled.certificate) return false
    adopt(found)
    return true
  }
  const ask = async (): Promise<void> => {
    const asked = current.enrolled
    try {
      const next = await parts.renew(asked)
      // Enrolled anew meanwhile: that one counts, and ours may be denied already.
      if (stopped || (await reread())) return
      await writeEnrolled(dataDir, next)
      fileTime = await statEnrolled(dataDir)
      adopt(next)
    } catch (cause) {
      because = cause instanceof Failure ? `${cause.code}: ${cause.message}` : String(cause)
      const step = Math.min(retryDelayMsMax, retryDelayMsMin * 2 ** Math.min(attempt, 30))
      nextTryAt = monotonicMs() + step * (0.5 + random() / 2)
      attempt += 1
      onFailure(cause)
    }
  }
  const lookOnce = async (): Promise<void> => {
    await reread()
    const standing = standingOf(current.validity, current.share, now())
    if (standing !== 'valid' && monotonicMs() >= nextTryAt) await ask()
    if (stopped) return
    if (standingOf(current.validity, current.share, now()) === 'expired') tell('CERTIFICATE_EXPIRED')
    else if (attempt >= triesBeforeTold) tell('CERTIFICATE_NOT_RENEWED')
  }
  /** One at a time: an answer may take longer than the time between two looks. */
  const look = (): Promise<void> => {
    looking ??= lookOnce()
      .catch(onFailure)
      .finally(() => {
        looking = undefined
      })
    return looking
  }

  const timer = setInterval(() => void look(), lookEveryMs)
  void look()
  return {
    look,
    stop: () => {
      stopped = true
      clearInterval(timer)
    },
  }
}

/** A control centre that restarts, or a line that is cut for a few minutes, is no trouble yet. */
const triesBeforeTold = 5

const toCurrent = (enrolled: Enrolled, random: () => number) => {
  const { validFromDate, validToDate } = new X509Certificate(enrolled.certificate)
  const validity: Validity = { from: validFromDate.getTime(), until: validToDate.getTime() }
  return { enrolled, validity, share: random() }
}
