/** Wishes that a forecast only rises or only falls with a column, from names to columns of a long row. */
import { Failure } from '@imlma/protocol/result'
import type { LongLayout } from './long-layout.ts'

/**
 * Per long column −1, 0 or 1; null where nothing is wished. Throws `Failure` BAD_PARAMETERS for a name that no column
 * has, and for a column that normalisation mixes with others: the order would not survive.
 */
export const monotoneColumns = (
  { names, roles }: Pick<LongLayout, 'names' | 'roles'>,
  wishes: Readonly<Record<string, number>>,
  normalised: boolean,
): Int8Array | null => {
  const wished = Object.entries(wishes).filter(([, direction]) => direction !== 0)
  if (wished.length === 0) return null
  const columns = new Int8Array(names.length)
  for (const [name, direction] of wished) {
    const column = names.indexOf(name)
    if (column < 0) {
      throw new Failure('BAD_PARAMETERS', `there is no column ${name} to be monotone in`, {
        hint: `the columns are ${names.slice(0, 20).join(', ')}${names.length > 20 ? ' …' : ''}`,
      })
    }
    if (normalised && roles[column] !== 'plain') {
      throw new Failure('BAD_PARAMETERS', `${name} is normalised: a forecast cannot be held monotone in it`, {
        hint: 'choose the normalisation none, or constrain columns of calendar and covariates only',
      })
    }
    columns[column] = direction
  }
  return columns
}
