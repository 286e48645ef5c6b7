/** `npm run document`: writes the documents that are made from the sources. */

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { documentFile, toDocument } from './configuration.ts'

writeFileSync(documentFile, toDocument())
const prettier = join(import.meta.dirname, '..', '..', 'node_modules', '.bin', 'prettier')
execFileSync(prettier, ['--write', documentFile], { stdio: 'inherit' })
