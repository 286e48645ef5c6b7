/** How far something is, as a bar of 20 characters. */
export const progressBar = (fraction: number): string => {
  const filled = Math.round(20 * Math.min(1, Math.max(0, fraction)))
  return `[${'#'.repeat(filled)}${'-'.repeat(20 - filled)}]`
}
