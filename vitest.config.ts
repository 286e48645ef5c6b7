/**
 * Two projects: `unit` is everything beside the code and runs on two workers; `stories` are the whole-system tests under
 * `test/`, which start processes of their own and therefore run one file at a time, after the others.
 */
import { defineConfig } from 'vitest/config'

const architecture = 'test/architecture/**/*.test.ts'

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{protocol,agent,coordinator,scripts}/**/*.test.ts', architecture],
          testTimeout: 20_000,
          hookTimeout: 20_000,
          pool: 'forks',
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'stories',
          include: ['test/**/*.test.ts'],
          exclude: ['**/node_modules/**', architecture],
          testTimeout: 180_000,
          hookTimeout: 60_000,
          pool: 'forks',
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
