/** Where the gateway listener is: left by the control centre for whoever makes tokens beside it. */

import { join } from 'node:path'
import { z } from 'zod'
import { readDocument } from './files.fs.ts'

const addressSchema = z.object({ v: z.literal(1), url: z.url({ protocol: /^https$/ }) })

export const gatewayAddressPathOf = (folder: string): string => join(folder, 'gateway.json')

/** As of the control centre's last start; undefined before the first with certificates. */
export const readGatewayAddress = async (folder: string): Promise<string | undefined> =>
  (await readDocument(gatewayAddressPathOf(folder), addressSchema))?.url
