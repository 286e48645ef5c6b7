/** Which brokers may be spoken to: plain MQTT stays on this machine, everything beyond it goes over TLS. */

import { accept, refuse, type Result } from '@imlma/protocol/result'

export interface BrokerAddress {
  readonly url: string
  readonly encrypted: boolean
}

const plain = ['mqtt:', 'tcp:', 'ws:']
const encrypted = ['mqtts:', 'ssl:', 'tls:', 'wss:']

export const parseBrokerUrl = (text: string): Result<BrokerAddress, 'BAD_BROKER_URL' | 'PLAIN_MQTT'> => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.hostname === '' || ![...plain, ...encrypted].includes(url.protocol)) {
    return refuse(
      'BAD_BROKER_URL',
      `${text} is not the address of a broker`,
      'write it as mqtt://127.0.0.1:1883 or mqtts://broker.example:8883',
    )
  }
  if (encrypted.includes(url.protocol)) return accept({ url: text, encrypted: true })
  if (isLoopback(url.hostname)) return accept({ url: text, encrypted: false })
  return refuse(
    'PLAIN_MQTT',
    `${url.hostname} is another machine, and ${url.protocol}// is not encrypted`,
    'use mqtts:// with certificates, or a broker on this machine',
  )
}

const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
