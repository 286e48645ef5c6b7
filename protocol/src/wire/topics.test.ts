import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { channels, parseTopic, toFilter, toTopic, type ChannelName } from './topics.ts'

const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/)
const channel = fc.constantFrom(...(Object.keys(channels) as ChannelName[]))

describe('topics', () => {
  test('come back from their string as they were', () => {
    fc.assert(
      fc.property(name, name, channel, name, (site, agent, channelName, id) => {
        const topic = channels[channelName].identified
          ? { site, agent, channel: channelName, id }
          : { site, agent, channel: channelName }
        expect(parseTopic(toTopic(topic, topic.channel, topic.id))).toEqual(topic)
      }),
      { seed: 1 },
    )
  })

  test.each([
    'imlma/v2/site/gw/ack',
    'imlma/v1/site/gw',
    'imlma/v1/site/gw/unknown',
    'imlma/v1/site/gw/constructor',
    'imlma/v1/site/gw/ack/extra',
    'imlma/v1/site/gw/command',
    'imlma/v1/site/gw/command/a/b',
    'imlma/v1/site/gw/command/',
    'imlma/v1//gw/ack',
    'imlma/v1/site/g w/ack',
    'imlma/v1/site/+/ack',
    `imlma/v1/site/${'g'.repeat(65)}/ack`,
    '/imlma/v1/site/gw/ack',
    '$SYS/broker',
    '',
  ])('%s is none of ours', (topic) => {
    expect(parseTopic(topic)).toBeUndefined()
  })

  test('have filters that stand for every agent', () => {
    expect(toFilter('readings')).toBe('imlma/v1/+/+/readings')
    expect(toFilter('result', { site: 'north' })).toBe('imlma/v1/north/+/result/+')
  })
})
