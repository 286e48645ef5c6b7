/**
 * MSE, MAE and R² of every version, each on the rows the gate judged it by, and of the champion on the same rows. The
 * mark's form says the verdict: disc = promoted, cross = rejected, diamond = inconclusive, bar = champion.
 */

import type uPlot from 'uplot'
import type { VersionView } from '../../api/views.ts'
import { axis, createChart, palette } from './chart.ts'
import { h } from './dom.ts'
import { toClock, toTick } from './format.ts'

const figures = [
  { key: 'mse', title: 'MSE', better: 'lower is better', square: true },
  { key: 'mae', title: 'MAE', better: 'lower is better', square: false },
  { key: 'r2', title: 'R²', better: 'higher is better', square: null },
] as const

let versions: readonly VersionView[] = []

const charts = figures.map(({ key, title, better, square }) => {
  const place = h('div', { class: 'chart' })
  const caption = h('figcaption', {})
  const chart = createChart(place, 190, () => {
    const colours = palette()
    return {
      scales: {
        x: { time: false, range: () => [-0.5, Math.max(0.5, versions.length - 0.5)] },
        y: { range: (_, low, high) => padded(low, high) },
      },
      legend: { show: false },
      cursor: { show: false },
      axes: [
        axis(colours, {
          incrs: [1, 2, 5, 10, 20, 50, 100],
          space: 46,
          size: 44,
          values: (_, ticks) =>
            ticks.map((tick) => {
              const version = versions[tick]
              return version === undefined ? '' : `v${version.version}\n${toClock(version.createdAt)}`
            }),
        }),
        axis(colours, { size: 58, values: (_, ticks) => ticks.map((tick) => toTick(tick)) }),
      ],
      series: [
        {},
        { paths: () => null, points: { show: false } },
        { paths: () => null, points: { show: false } },
      ],
      hooks: { draw: [(plot) => drawMarks(plot, key)] },
    }
  })
  return { key, title, better, square, caption, chart, element: h('figure', {}, caption, place) }
})

export const versionChartsElement = h(
  'div',
  {},
  h(
    'div',
    { class: 'charts' },
    charts.map(({ element }) => element),
  ),
  h(
    'p',
    { class: 'muted key' },
    ...[
      '● promoted',
      '✕ rejected',
      '◇ inconclusive',
      '▬ champion on the same rows',
      'every version on its own window',
    ].map((entry) => h('span', {}, entry)),
  ),
)

export const showVersionCharts = (shown: readonly VersionView[], unit: string): void => {
  versions = shown
  const x = shown.map((_, index) => index)
  for (const { key, title, better, square, caption, chart } of charts) {
    caption.textContent = `${title}${square === null ? '' : `, ${unit}${square ? '²' : ''}`} – ${better}`
    const challengers = shown.map(({ figures: own }) => own?.[key] ?? null)
    const champions = shown.map(({ decision }) => decision?.champion[key] ?? null)
    chart.show([x, challengers, champions], false)
  }
}

const padded = (low: number | null, high: number | null): [number, number] => {
  if (low === null || high === null) return [0, 1]
  const margin = (high - low || Math.abs(high) || 1) * 0.15
  return [low - margin, high + margin]
}

const drawMarks = (plot: uPlot, key: 'mse' | 'mae' | 'r2'): void => {
  const colours = palette()
  const { ctx } = plot
  const size = 5 * devicePixelRatio
  const at = (index: number, value: number) =>
    [plot.valToPos(index, 'x', true), plot.valToPos(value, 'y', true)] as const
  ctx.save()
  ctx.lineWidth = 2 * devicePixelRatio
  // The line of champions: who forecast, one after the other.
  ctx.strokeStyle = colours.accent
  ctx.beginPath()
  for (const [index, version] of versions.entries()) {
    const value = version.figures?.[key]
    if (version.state === 'promoted' && typeof value === 'number') ctx.lineTo(...at(index, value))
  }
  ctx.stroke()
  for (const [index, { state, figures: own, decision }] of versions.entries()) {
    const champion = decision?.champion[key]
    if (typeof champion === 'number') {
      const [x, y] = at(index, champion)
      ctx.fillStyle = colours.muted
      ctx.fillRect(x - 2 * size, y - size / 5, 4 * size, (2 * size) / 5)
    }
    const value = own?.[key]
    if (typeof value === 'number') drawMark(ctx, state, at(index, value), size, colours)
  }
  ctx.restore()
}

const drawMark = (
  ctx: CanvasRenderingContext2D,
  state: VersionView['state'],
  [x, y]: readonly [number, number],
  size: number,
  colours: ReturnType<typeof palette>,
): void => {
  ctx.beginPath()
  ctx.fillStyle = state === 'promoted' ? colours.accent : colours.panel
  ctx.strokeStyle = state === 'promoted' ? colours.accent : colours.strong
  if (state === 'promoted') ctx.arc(x, y, size, 0, 2 * Math.PI)
  else if (state === 'rejected') {
    ctx.moveTo(x - size, y - size)
    ctx.lineTo(x + size, y + size)
    ctx.moveTo(x - size, y + size)
    ctx.lineTo(x + size, y - size)
  } else {
    ctx.moveTo(x, y - 1.3 * size)
    ctx.lineTo(x + 1.3 * size, y)
    ctx.lineTo(x, y + 1.3 * size)
    ctx.lineTo(x - 1.3 * size, y)
    ctx.closePath()
  }
  ctx.fill()
  ctx.stroke()
}
