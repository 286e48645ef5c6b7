/**
 * How much of the backlog may leave now: a bucket that fills with the bytes a second that the backlog may take of the
 * link. A batch leaves while there is anything in the bucket, and what it takes too much has to come back first: so a
 * batch larger than a second's worth leaves, too.
 */

export interface Bucket {
  /** Below zero while a large batch is being paid for. */
  readonly bytes: number
  readonly at: number
}

/** `bytesPerSecondMax` 0: no limit. Times in milliseconds that only grow. */
export const refilled = ({ bytes, at }: Bucket, bytesPerSecondMax: number, now: number): Bucket => ({
  bytes:
    bytesPerSecondMax === 0
      ? Number.POSITIVE_INFINITY
      : Math.min(bytesPerSecondMax, bytes + ((now - at) * bytesPerSecondMax) / 1_000),
  at: now,
})

export const drained = (bucket: Bucket, bytes: number): Bucket => ({ ...bucket, bytes: bucket.bytes - bytes })

/**
 * Batches of the backlog that may be on the way at a time. Half of the window, so that live readings always find room;
 * one at a time where the link is shared, so that they wait for one at most.
 */
export const toBacklogMax = (bucket: Bucket, bytesPerSecondMax: number, batchesMax: number): number => {
  if (bytesPerSecondMax === 0) return Math.max(1, Math.floor(batchesMax / 2))
  return bucket.bytes > 0 ? 1 : 0
}
