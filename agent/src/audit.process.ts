/** The audit log of a running agent: opened first, told of everything, sent when there is a link, closed last. */

import { writeFile } from 'node:fs/promises'
import type { AuditDetails, AuditHead } from '@imlma/protocol/audit'
import { sha256 } from '@imlma/protocol/node'
import type { Alarm } from '@imlma/protocol/wire'
import { openAuditLog } from './audit/log.fs.ts'
import type { AuditLog } from './audit/log.ts'
import { createRecorder, type Recorder } from './audit/recorder.ts'
import { startUploader } from './audit/uploader.timer.ts'
import { auditFolderOf, heldPath } from './audit/verify.fs.ts'
import { openSigningKey, readEnrolled } from './identity/index.ts'
import type { Link } from './link/link.ts'
import type { Log } from './log.pino.ts'

export interface Audit extends Recorder {
  readonly alarm: (alarm: Alarm) => void
  /** Looks now and then at what nobody tells: readings dropped, another certificate. */
  readonly watch: (dropped: () => number) => () => void
  /** Returns how to stop it. */
  readonly upload: (link: Link) => () => void
  /** The last word; durable on return. */
  readonly close: () => Promise<void>
}

interface AuditOptions {
  readonly dataDir: string
  readonly site: string
  readonly agent: string
  readonly agentVersion: string
  readonly bootId: string
}

const watchEveryMs = 60_000
/** Details of an alarm beside its own: more than any evidence of ours has. */
const evidenceMax = 14

/** Throws `Failure` AUDIT_FAILED, KEY_EXPOSED, KEY_UNREADABLE. */
export const startAudit = async (options: AuditOptions, log: Log): Promise<Audit> => {
  const { dataDir, site, agent, agentVersion, bootId } = options
  const now = Date.now
  const onFailure = (cause: unknown): void => log.error({ err: cause }, 'audit')
  const signing = await openSigningKey(dataDir)
  const auditLog = openAuditLog(
    { now, signer: signing?.signer, onFailure },
    { site, agent, folder: auditFolderOf(dataDir) },
  )
  const recorder = createRecorder({ log: auditLog, now, onFailure })
  recorder.record('started', {
    bootId,
    agentVersion,
    node: process.version,
    clean: wasStopped(auditLog),
  })
  const lookAtIdentity = async (): Promise<void> => {
    const enrolled = await readEnrolled(dataDir)
    if (enrolled === undefined) return
    const certificate = sha256(enrolled.certificate)
    recorder.recordOnce(`identity ${certificate}`, 'identity', {
      certificate,
      notAfter: enrolled.notAfter,
      signingKey: signing?.signer.keyid ?? null,
    })
  }
  await lookAtIdentity().catch(onFailure)

  return {
    ...recorder,
    alarm: (alarm) => recorder.record('alarm', toDetails(alarm), alarm.kind === 'security'),
    watch: (dropped) => {
      let said = dropped()
      const timer = setInterval(() => {
        const total = dropped()
        if (total > said) recorder.record('readings-dropped', { readings: total - said, total })
        said = total
        lookAtIdentity().catch(onFailure)
      }, watchEveryMs).unref()
      return () => clearInterval(timer)
    },
    upload: (link) =>
      startUploader({ log: auditLog, recorder, link, now, onHeld: keepHeld(dataDir, auditLog), onFailure })
        .stop,
    close: async () => {
      recorder.record('stopped', { bootId })
      await auditLog.close()
    },
  }
}

/** False after a power cut or a crash: then the last word of the log is another one. */
const wasStopped = ({ found }: Pick<AuditLog, 'found'>): boolean => {
  const last = found.at(-1)
  return last === undefined || last.kind === 'stopped'
}

/** For whoever verifies the log here: an end that the control centre has seen. Lost in a power cut, it is said again. */
const keepHeld =
  (dataDir: string, { name }: AuditLog) =>
  (head: AuditHead): void => {
    writeFile(heldPath(dataDir), JSON.stringify({ v: 1, log: name, ...head })).catch(() => undefined)
  }

const toDetails = ({ id, kind, level, model, version, value, limit, evidence }: Alarm): AuditDetails => ({
  ...Object.fromEntries(Object.entries(evidence).slice(0, evidenceMax)),
  id,
  alarm: kind,
  level,
  model,
  version,
  value,
  limit,
})
