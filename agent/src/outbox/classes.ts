/**
 * What is worth more when the disk quota is reached: alarms before recent readings before old ones. Alarms have a bound of
 * their own (`held-alarms.sqlite.ts`) and are never dropped for readings.
 */

/** Lowest first: the oldest of the lowest class goes first. */
export const readingClasses = ['old', 'recent'] as const
export type ReadingClass = (typeof readingClasses)[number]

/** `damaged`: what the disk has changed, or could not read any more. */
export const dropClasses = [...readingClasses, 'damaged', 'alarm'] as const
export type DropClass = (typeof dropClasses)[number]

/** `old` are readings that were history when the source brought them. */
export const toClass = (historical: boolean): ReadingClass => (historical ? 'old' : 'recent')
