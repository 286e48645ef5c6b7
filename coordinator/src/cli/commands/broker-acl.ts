/** `imlma broker acl`: the access rules for a broker that is not ours. */

import { accept, refuse } from '@imlma/protocol/result'
import type { Command } from '../command.ts'

export const brokerAclCommand: Command = {
  name: 'broker acl',
  summary: 'write the configuration of an outside broker: certificates, and who may say and hear what',
  options: [
    { flags: '--mosquitto', about: 'for Mosquitto 2.0' },
    { flags: '--out <dir>', about: 'where the files go (default mosquitto)' },
    { flags: '--tls-port <number>', about: 'for agents and the control centre (default 8883)' },
    { flags: '--plain-port <number>', about: 'for people’s tools on loopback, or off (default 1883)' },
    {
      flags: '--host <names>',
      about: 'under which it is reached, separated by commas (default this machine’s)',
    },
  ],
  example: 'imlma broker acl --mosquitto --out /etc/imlma/mosquitto',
  run: async ({ exportMosquitto }, { options }) => {
    if (options.mosquitto !== true) {
      return refuse('USAGE', 'for which broker?', 'imlma broker acl --mosquitto')
    }
    const port = toPort(options.tlsPort ?? '8883')
    const plainPort = options.plainPort === 'off' ? undefined : toPort(options.plainPort ?? '1883')
    if (Number.isNaN(port) || Number.isNaN(plainPort)) {
      return refuse('USAGE', 'a port is a number from 1 to 65535', '--tls-port 8883 --plain-port off')
    }
    const folder = typeof options.out === 'string' ? options.out : 'mosquitto'
    const hosts = typeof options.host === 'string' ? options.host.split(',') : []
    const { site, files } = await exportMosquitto({ folder, port, plainPort, hosts })
    const [configuration = ''] = files
    const text = [
      ...files,
      `a broker of the site ${site}: mosquitto -c ${configuration}`,
      `then the control centre: imlma-coordinator --broker mqtts://HOST:${port} …`,
      'write them again after every imlma pki deny, and restart the broker',
    ]
    return accept({ text: text.join('\n'), json: { site, files, port, plainPort: plainPort ?? null } })
  },
}

const toPort = (given: string | boolean): number => {
  const port = Number(given)
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : Number.NaN
}
