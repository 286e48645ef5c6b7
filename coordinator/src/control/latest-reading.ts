/** When was the newest of these series' readings? */

export const latestOf = (series: readonly { readonly lastAt: number }[]): number | undefined =>
  series.reduce<number | undefined>((latest, { lastAt }) => Math.max(latest ?? lastAt, lastAt), undefined)
