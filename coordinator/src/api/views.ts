/** Everything that people are shown, as schemas: the API answers with them, the page and `imlma` read them. */

export * from './views/common.ts'
export * from './views/fleet.ts'
export * from './views/history.ts'
export * from './views/insight.ts'
export * from './views/models.ts'
export * from './views/people.ts'
