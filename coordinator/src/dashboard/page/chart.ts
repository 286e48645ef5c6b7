/** uPlot in the page's colours: axes, grid and size; what is drawn is up to the panel. */

import uPlot from 'uplot'

export interface Palette {
  readonly text: string
  readonly muted: string
  readonly line: string
  readonly accent: string
  readonly strong: string
  readonly good: string
  readonly act: string
  readonly panel: string
}

export const palette = (): Palette => {
  const style = getComputedStyle(document.documentElement)
  const read = (name: string) => style.getPropertyValue(`--${name}`).trim()
  return {
    text: read('text'),
    muted: read('muted'),
    line: read('line'),
    accent: read('accent'),
    strong: read('strong'),
    good: read('good'),
    act: read('act'),
    panel: read('panel'),
  }
}

export const chartFont = '12px system-ui, sans-serif'

/** An axis in the page's colours. */
export const axis = (colours: Palette, more: Partial<uPlot.Axis>): uPlot.Axis => ({
  stroke: colours.muted,
  font: chartFont,
  grid: { stroke: colours.line, width: 1 },
  ticks: { stroke: colours.line, width: 1, size: 4 },
  ...more,
})

/** One chart in one place: drawn anew when its options change, only fed when its points do, and always as wide as its place. */
export const createChart = (
  place: HTMLElement,
  height: number,
  options: () => Omit<uPlot.Options, 'width' | 'height'>,
) => {
  let chart: uPlot | undefined
  let shown: uPlot.AlignedData = [[]]
  const draw = () => {
    chart?.destroy()
    chart = new uPlot({ ...options(), width: Math.max(200, place.clientWidth), height }, shown, place)
  }
  new ResizeObserver(() => {
    const width = place.clientWidth
    if (chart !== undefined && width > 0 && width !== chart.width) chart.setSize({ width, height })
  }).observe(place)
  // A change between day and night changes every colour that the canvas has drawn.
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    if (chart !== undefined) draw()
  })
  return {
    /** `redraw` where titles, units or marks have changed, not only the points. */
    show: (points: uPlot.AlignedData, redraw: boolean): void => {
      shown = points
      if (chart === undefined || redraw) draw()
      else chart.setData(points)
    },
  }
}
