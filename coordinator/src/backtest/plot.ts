/** Forecasts against what came, as a drawing that stands on its own: two lines, a scale, the times of both ends. */

export interface PlottedStep {
  readonly time: number
  readonly forecast: number
  readonly actual: number
}

const [width, height, left, bottom, top] = [1_200, 420, 70, 40, 44]

/** SVG; steps without a number leave a gap in their line. */
export const drawForecasts = (title: string, steps: readonly PlottedStep[]): string => {
  const values = steps.flatMap(({ forecast, actual }) => [forecast, actual]).filter(Number.isFinite)
  const [low, high] = values.reduce(
    ([least, most], value) => [Math.min(least, value), Math.max(most, value)],
    [Infinity, -Infinity],
  )
  const span = high > low ? high - low : 1
  const x = (i: number): number => left + ((width - left - 20) * i) / Math.max(1, steps.length - 1)
  const y = (value: number): number => height - bottom - ((height - bottom - top) * (value - low)) / span
  const line = (of: (step: PlottedStep) => number, colour: string, dash: string): string => {
    let pen = 'M'
    const path = steps.map((step, i) => {
      const value = of(step)
      if (!Number.isFinite(value)) {
        pen = 'M'
        return ''
      }
      const point = `${pen}${x(i).toFixed(1)} ${y(value).toFixed(1)}`
      pen = 'L'
      return point
    })
    return `<path d="${path.join('')}" fill="none" stroke="${colour}" stroke-width="1.5"${dash}/>`
  }
  const ticks = values.length === 0 ? [] : [0, 0.25, 0.5, 0.75, 1].map((share) => low + share * span)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" role="img">`,
    `<title>${escaped(title)}: forecast and actual</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="${left}" y="24" font-size="16">${escaped(title)}</text>`,
    `<text x="${width - 190}" y="24" fill="#333333">actual</text><text x="${width - 120}" y="24" fill="#d1495b">forecast (dashed)</text>`,
    ...ticks.map(
      (value) =>
        `<path d="M${left} ${y(value).toFixed(1)}H${width - 20}" stroke="#dddddd"/><text x="${left - 8}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${Number(value.toPrecision(4))}</text>`,
    ),
    line(({ actual }) => actual, '#333333', ''),
    line(({ forecast }) => forecast, '#d1495b', ' stroke-dasharray="5 3"'),
    `<text x="${left}" y="${height - 12}">${timeOf(steps[0])}</text>`,
    `<text x="${width - 20}" y="${height - 12}" text-anchor="end">${timeOf(steps.at(-1))}</text>`,
    '</svg>',
    '',
  ].join('\n')
}

const timeOf = (step: PlottedStep | undefined): string =>
  step === undefined ? '' : `${new Date(step.time).toISOString().slice(0, 16)}Z`

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign] ?? '&quot;')
