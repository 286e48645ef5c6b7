/** The six trainings of the fixture's story, as figures. */

export const storyModel = 'load-day-ahead'
export const storyAgents = ['gw-1', 'gw-2', 'gw-3'] as const

export interface Chapter {
  readonly version: number
  readonly parent: number | null
  readonly champion: number | null
  readonly verdict: 'promote' | 'reject' | 'inconclusive'
  readonly trigger: 'volume' | 'interval' | 'manual'
  readonly champions: readonly [mse: number, mae: number, r2: number]
  readonly challengers: readonly [mse: number, mae: number, r2: number]
  readonly readings: number
  readonly lambda: number
}

export const chapters: readonly Chapter[] = [
  {
    version: 1,
    parent: null,
    champion: null,
    verdict: 'promote',
    trigger: 'volume',
    champions: [0.0931, 0.218, 0.712],
    challengers: [0.0554, 0.169, 0.829],
    readings: 40_320,
    lambda: 10,
  },
  {
    version: 2,
    parent: 1,
    champion: 1,
    verdict: 'promote',
    trigger: 'volume',
    champions: [0.0549, 0.168, 0.83],
    challengers: [0.0472, 0.154, 0.854],
    readings: 80_640,
    lambda: 10,
  },
  {
    version: 3,
    parent: 2,
    champion: 2,
    verdict: 'reject',
    trigger: 'interval',
    champions: [0.0468, 0.153, 0.855],
    challengers: [0.0491, 0.157, 0.848],
    readings: 104_160,
    lambda: 100,
  },
  {
    version: 4,
    parent: 2,
    champion: 2,
    verdict: 'promote',
    trigger: 'volume',
    champions: [0.0475, 0.155, 0.853],
    challengers: [0.0421, 0.144, 0.87],
    readings: 141_120,
    lambda: 30,
  },
  {
    version: 5,
    parent: 4,
    champion: 4,
    verdict: 'inconclusive',
    trigger: 'manual',
    champions: [0.0424, 0.145, 0.869],
    challengers: [0.0422, 0.145, 0.869],
    readings: 158_400,
    lambda: 30,
  },
  {
    version: 6,
    parent: 4,
    champion: 4,
    verdict: 'promote',
    trigger: 'volume',
    champions: [0.0426, 0.145, 0.868],
    challengers: [0.0388, 0.138, 0.88],
    readings: 201_600,
    lambda: 30,
  },
]
