/** `imlma backtest`: how good would a model have been? Runs here and needs no control centre. */

import { accept } from '@imlma/protocol/result'
import { printReport } from '../../backtest/report.ts'
import type { Command } from '../command.ts'

export const backtestCommand: Command = {
  name: 'backtest',
  summary: 'train, choose and judge a model on a file of readings, as a task file says',
  words: [
    {
      name: 'task',
      about: 'the task file (JSON); a relative data path in it is looked up in IMLMA_DATA first',
    },
  ],
  options: [{ flags: '--plot <file>', about: 'draw forecasts against actuals of the test part, as SVG' }],
  example: 'imlma backtest coordinator/tasks/ett-h1-ot-24.json --plot forecast.svg',
  run: async ({ backtest }, { words: [taskPath = ''], options: { plot } }) => {
    const report = await backtest(taskPath, typeof plot === 'string' ? plot : undefined)
    return report.ok ? accept({ text: printReport(report.value), json: report.value }) : report
  },
}
