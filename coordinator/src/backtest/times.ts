/** Times as files write them, to milliseconds since 1970. */
import { Failure } from '@imlma/protocol/result'
import type { BacktestTask } from './task.ts'

type TimeFormat = NonNullable<BacktestTask['time']>['format']

const dayFirst = /^(\d{1,2})\/(\d{1,2})\/(\d{4}) (\d{1,2}):(\d\d)(?::(\d\d))?$/

/** Throws `Failure` BAD_TIME with the line. */
export const toTimes = (words: readonly string[], format: TimeFormat): Float64Array =>
  Float64Array.from(words, (word, row) => {
    const time = toTime(word, format)
    if (Number.isFinite(time)) return time
    throw new Failure('BAD_TIME', `line ${row + 2}: "${word}" is no time of the format ${format}`, {
      hint: 'set "format" of "time" in the task',
    })
  })

const toTime = (word: string, format: TimeFormat): number => {
  if (word === '') return Number.NaN
  if (format === 'epoch-seconds') return Number(word) * 1_000
  if (format === 'epoch-milliseconds') return Number(word)
  if (format === 'iso') {
    const text = word.replace(' ', 'T')
    return Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(text) || !text.includes('T') ? text : `${text}Z`)
  }
  const match = dayFirst.exec(word)
  if (match === null) return Number.NaN
  const [first, second, year, hour, minute, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0))
  const [day, month] = format.startsWith('DD') ? [first, second] : [second, first]
  return isDate(year, month, day)
    ? Date.UTC(year as number, (month as number) - 1, day, hour, minute, seconds)
    : Number.NaN
}

const isDate = (year = 0, month = 0, day = 0): boolean =>
  month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate()
