/**
 * Which batches leave next. The coordinator's acknowledgement alone counts: PUBACK says that a broker has a batch,
 * which may forget it.
 *
 *   acknowledged ──▶ sent, waiting for ack (a bounded window) ──▶ held by the outbox
 *
 * Whenever the way may have lost something (a new connection, no acknowledgement for a while, new numbers), sending
 * begins again after the last acknowledgement. The coordinator stores each sequence once, so twice does no harm.
 */

/** What the forwarder needs of the outbox. */
export interface ForwarderQueue {
  readonly next: (window: {
    readonly after: number
    readonly batchesMax: number
    readonly bytesMax: number
    readonly backlogMax: number
  }) => readonly { readonly seq: number; readonly isBacklog: boolean; readonly packet: Uint8Array }[]
  readonly acknowledge: (seq: number) => unknown
  readonly acknowledged: () => number | undefined
}

export interface ForwarderOptions {
  /** Batches sent and not acknowledged. */
  readonly batchesMax: number
  /** Bytes of packets read from disk at a time. */
  readonly bytesMax: number
  /** Bytes a second that the backlog may take beside live readings, which have no limit; 0: whatever there is. */
  readonly backlogBytesPerSecondMax: number
  /** Without an acknowledgement for so long, everything unacknowledged is sent again … */
  readonly ackTimeoutMs: number
  /** … and then after twice as long, up to this: a coordinator that is away is not buried in copies. */
  readonly ackTimeoutMsMax: number
}

export const forwarderDefaults: ForwarderOptions = {
  batchesMax: 16,
  bytesMax: 4 * 1_048_576,
  backlogBytesPerSecondMax: 0,
  ackTimeoutMs: 5_000,
  ackTimeoutMsMax: 60_000,
}

export interface Sending {
  /** Highest sequence acknowledged, or told to begin after. */
  readonly acknowledged: number
  /** Highest sequence sent since sending last began again. */
  readonly sent: number
  /** When an acknowledgement last came, or sending last began again. */
  readonly progressAt: number
  /** Times that sending began again without an acknowledgement in between. */
  readonly silentRounds: number
}

export const beginAfter = (acknowledged: number, at: number, silentRounds = 0): Sending => ({
  acknowledged,
  sent: acknowledged,
  progressAt: at,
  silentRounds,
})

/** How many batches may leave now. */
export const toRoom = ({ acknowledged, sent }: Sending, { batchesMax }: ForwarderOptions): number =>
  Math.max(0, batchesMax - (sent - acknowledged))

export const afterAck = (sending: Sending, acknowledged: number, at: number): Sending => ({
  acknowledged,
  sent: Math.max(sending.sent, acknowledged),
  progressAt: at,
  silentRounds: 0,
})

/** True where what was sent has waited too long for an acknowledgement. */
export const isOverdue = (sending: Sending, options: ForwarderOptions, at: number): boolean => {
  const waitMs = Math.min(
    options.ackTimeoutMsMax,
    options.ackTimeoutMs * 2 ** Math.min(sending.silentRounds, 20),
  )
  return sending.sent > sending.acknowledged && at - sending.progressAt >= waitMs
}
