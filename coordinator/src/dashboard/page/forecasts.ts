/** What was forecast beside what came, for one meter at a time. */

import type uPlot from 'uplot'
import type { ForecastsView } from '../../api/views.ts'
import { axis, chartFont, createChart, palette } from './chart.ts'
import { bodyOf, emptyState, h, replace } from './dom.ts'
import { toClock, toCount, toDay, toDayAndClock, toFigure, toTick } from './format.ts'
import { state } from './state.ts'

type Sample = ForecastsView['samples'][number]

const place = h('div', { class: 'chart', id: 'forecast-chart' })
const legend = h('p', { class: 'legend' })
const picker = h('select', { id: 'meter' })
const frame = h(
  'div',
  {},
  h('div', { class: 'bar' }, h('label', {}, 'Meter ', picker), legend),
  place,
  h(
    'p',
    { class: 'muted' },
    'Where several forecasts were made for one time, the one with the shortest lead is shown. The band is the range of its quantiles. Vertical lines: another version took over.',
  ),
)
let shown: readonly Sample[] = []
let drawn = ''

const chart = createChart(place, 260, () => {
  const colours = palette()
  return {
    scales: { x: { time: true } },
    legend: { live: true },
    cursor: { y: false },
    axes: [
      axis(colours, { values: (_, ticks) => ticks.map(toTimeTick) }),
      axis(colours, {
        values: (_, ticks) => ticks.map(toTick),
        size: 56,
        label: state.forecasts?.unit ?? '',
        labelFont: chartFont,
        labelSize: 18,
      }),
    ],
    series: [
      { label: 'Time', value: (_, seconds) => (seconds === null ? '–' : toDayAndClock(seconds * 1_000)) },
      { label: 'Actual', stroke: colours.strong, width: 2, value: (_, value) => toFigure(value) },
      {
        label: 'Forecast',
        stroke: colours.accent,
        width: 2,
        dash: [6, 4],
        value: (_, value) => toFigure(value),
      },
      // The edges of the range are not drawn, only what lies between.
      { label: 'Low', stroke: 'transparent', points: { show: false }, value: (_, value) => toFigure(value) },
      { label: 'High', stroke: 'transparent', points: { show: false }, value: (_, value) => toFigure(value) },
    ],
    bands: [{ series: [4, 3], fill: `color-mix(in srgb, ${colours.accent} 18%, transparent)` }],
    hooks: { draw: [drawTakeovers] },
  }
})

/** `onMeter` loads the samples of another meter. */
export const startForecasts = (onMeter: (meter: string) => void): void => {
  picker.addEventListener('change', () => onMeter(picker.value))
}

export const renderForecasts = (): void => {
  const { forecasts, meter } = state
  if (forecasts === undefined || forecasts.meters.length === 0 || meter === undefined) {
    replace(
      bodyOf('forecasts'),
      emptyState(
        'No forecast has met its actual yet.',
        'Agents send samples with their report once the forecast time has come and the reading is in.',
      ),
    )
    return
  }
  if (frame.parentElement === null) replace(bodyOf('forecasts'), frame)
  if (picker.options.length !== forecasts.meters.length) {
    replace(
      picker,
      forecasts.meters.map((name) => h('option', { value: name }, name)),
    )
  }
  picker.value = meter
  shown = shortestLead(forecasts.samples.filter((sample) => sample.meter === meter))
  const redraw = drawn !== `${meter} ${forecasts.unit}`
  drawn = `${meter} ${forecasts.unit}`
  chart.show(
    [
      shown.map(({ at }) => at / 1_000),
      shown.map(({ actual }) => actual),
      shown.map(({ forecast }) => forecast),
      shown.map(({ low }) => low ?? null),
      shown.map(({ high }) => high ?? null),
    ],
    redraw,
  )
  replace(legend, summaryOf(forecasts.unit))
}

const shortestLead = (samples: readonly Sample[]): readonly Sample[] => {
  const best = new Map<number, Sample>()
  for (const sample of samples) {
    const known = best.get(sample.at)
    if (known === undefined || sample.step <= known.step) best.set(sample.at, sample)
  }
  return [...best.values()].toSorted((a, b) => a.at - b.at)
}

const summaryOf = (unit: string) => {
  const errors = shown.map(({ forecast, actual }) => forecast - actual).filter(Number.isFinite)
  const mean = (values: readonly number[]) =>
    values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
  return h(
    'span',
    {},
    'MAE ',
    h('strong', {}, toFigure(mean(errors.map(Math.abs)))),
    ` ${unit} · bias `,
    h('strong', {}, toFigure(mean(errors))),
    ` ${unit} · n ${toCount(errors.length)}`,
  )
}

/** Midnight is named by its day. */
const toTimeTick = (seconds: number): string => {
  const words = toClock(seconds * 1_000)
  return words === '00:00' ? toDay(seconds * 1_000) : words
}

function drawTakeovers(plot: uPlot): void {
  const colours = palette()
  const { ctx, bbox } = plot
  ctx.save()
  ctx.strokeStyle = colours.muted
  ctx.fillStyle = colours.muted
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`
  ctx.textAlign = 'left'
  ctx.setLineDash([2, 3])
  for (const [index, sample] of shown.entries()) {
    if (index > 0 && sample.version === shown[index - 1]?.version) continue
    const x = Math.round(plot.valToPos(sample.at / 1_000, 'x', true))
    if (index > 0) {
      ctx.beginPath()
      ctx.moveTo(x, bbox.top)
      ctx.lineTo(x, bbox.top + bbox.height)
      ctx.stroke()
    }
    ctx.fillText(`v${sample.version}`, x + 4, bbox.top + 12 * devicePixelRatio)
  }
  ctx.restore()
}
