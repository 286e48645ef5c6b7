import { describe, expect, test } from 'vitest'
import { createIncidents, incidentSchema } from './incidents.ts'

const refused = (client: string, detail = 'a/b') => ({ code: 'FOREIGN_TOPIC', client, agent: client, detail })

describe('incidents', () => {
  test('are told at once the first time, and gathered from then on', () => {
    const incidents = createIncidents('start', { repeatMs: 1_000 })
    expect(incidents.add(refused('gw-1'), 0)).toMatchObject({
      place: 0,
      incident: { id: 'start-1', count: 1 },
    })
    for (let at = 1; at < 1_000; at += 1)
      expect(incidents.add(refused('gw-1', `a/${at}`), at)).toBeUndefined()
    expect(incidents.due(999)).toEqual([])
    expect(incidents.due(1_000)).toMatchObject([
      { place: 0, incident: { id: 'start-2', count: 1_000, detail: 'a/999' } },
    ])
    expect(incidents.due(9_000)).toEqual([])
    expect(incidents.add(refused('gw-1'), 9_000)).toMatchObject({ incident: { count: 1_001 } })
  })

  test('of different clients are told apart, up to a bound', () => {
    const incidents = createIncidents('start', { repeatMs: 1_000, kindsMax: 2 })
    const places = ['gw-1', 'gw-2', 'gw-3', 'gw-4', '__proto__'].map(
      (client) => incidents.add(refused(client), 0)?.place,
    )
    expect(places).toEqual([0, 1, 2, undefined, undefined])
    expect(incidents.due(1_000)).toMatchObject([
      { place: 2, incident: { client: 'several', agent: null, count: 3 } },
    ])
  })

  test('fit their own form, however long what was refused is', () => {
    const told = createIncidents('start').add(
      { ...refused('x'.repeat(400), 'y'.repeat(70_000)), agent: null },
      5,
    )
    expect(incidentSchema.parse(told?.incident)).toMatchObject({
      client: 'x'.repeat(300),
      detail: 'y'.repeat(300),
    })
  })
})
