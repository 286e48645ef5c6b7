/** The power goes off at every call to the outside, before it or after it, and the gateway is started again. */

import { cp } from 'node:fs/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  model,
  newFolder,
  release,
  sealCommand,
  sealDesired,
  type GatewayOptions,
} from './testing/gateway.fs.ts'
import type { PartialFile } from './store.ts'
import { artifact, createStory, desired, keys, version, type Story } from './testing/story.contract.ts'

let story: Story
beforeEach(async () => {
  story = await createStory()
})
afterEach(() => story.end())

/**
 * Each cut costs two starts of a gateway with real files: a test takes a share of a story's steps, so that none is near its
 * time where the machine is busy with others.
 */
const stride = 4
const shares = Array.from({ length: stride }, (_, index) => index + 1).flatMap((from) => [
  { from, done: true, when: 'after' },
  { from, done: false, when: 'before' },
])

describe('a power cut', () => {
  /** Power that goes off at the `at`-th call to the outside: from then on nothing is done and nothing is answered. */
  const createPower = (at: number, done: boolean) => {
    let calls = 0
    const never = new Promise<never>(() => undefined)
    const guard =
      (call: (...of: never[]) => unknown) =>
      (...of: never[]): unknown => {
        calls += 1
        const result = calls < at || (calls === at && done) ? call(...of) : undefined
        if (calls < at) return result instanceof Promise ? begun(wrapFile(result)) : result
        // Cut after the call: it took place, and nobody heard of it.
        if (result instanceof Promise) void begun(wrapFile(result))
        return never
      }
    const last: Promise<unknown>[] = []
    const files: { readonly close: () => Promise<void> }[] = []
    const begun = <Value>(result: Promise<Value>): Promise<Value> => {
      last.push(result.catch(() => undefined))
      return result
    }
    const wrapFile = async (result: unknown): Promise<unknown> => {
      const opened = (await result) as { ok?: boolean; value?: PartialFile } | undefined
      if (opened?.ok !== true || opened.value?.append === undefined) return opened
      files.push(opened.value)
      return { ...opened, value: fragile(opened.value) }
    }
    const fragile = <Part extends object>(part: Part): Part =>
      Object.fromEntries(
        Object.entries(part).map(([name, member]) => [
          name,
          typeof member === 'function' && name !== 'bytes' && name !== 'onRun'
            ? guard(member as () => unknown)
            : member,
        ]),
      ) as Part
    const wrap: GatewayOptions['wrap'] = (parts) => ({
      ...parts,
      store: fragile(parts.store),
      file: fragile(parts.file),
      roots: fragile(parts.roots),
      serving: fragile(parts.serving),
    })
    return {
      wrap,
      isOff: () => calls >= at,
      /** What had begun has reached the disk; then what the system does for a process that died. */
      settle: async () => {
        await Promise.all(last)
        for (const file of files) await file.close().catch(() => undefined)
      },
    }
  }
  type Power = ReturnType<typeof createPower>

  /** Tells the story until it ends or the power goes; true when it went. */
  const until = async (power: Power, tell: () => Promise<unknown>): Promise<boolean> => {
    const told = tell().then(() => 'told' as const)
    told.catch(() => undefined)
    let ended: 'told' | undefined
    while (ended === undefined && !power.isOff()) ended = await Promise.race([told, turn(undefined)])
    if (power.isOff()) ended = undefined
    await power.settle()
    return ended === undefined
  }

  test.each(shares)(
    `at every step of a deployment ends in a verified model serving (cut $when step $from and every ${stride}th from there)`,
    async ({ done, from }) => {
      const first = await story.boot()
      await first.assign(1, 1)
      await story.off(first)
      const original = story.folder()
      let at = from
      for (; ; at += stride) {
        const copy = await newFolder()
        await cp(original, copy, { recursive: true })
        story.moveTo(copy)
        const power = createPower(at, done)
        const cut = await until(power, async () => {
          const gateway = await story.boot({ wrap: power.wrap })
          await gateway.assign(2, 2)
          await story.off(gateway)
        })
        story.forget()
        const after = await story.boot()
        // A verified version answers before anything is heard from the control centre …
        expect([1, 2]).toContain(await after.answers())
        await after.models.desired(desired(2, 2))
        await after.when(() => after.state()?.phase === 'idle')
        // … and the assignment comes through in the end.
        expect(await after.answers()).toBe(2)
        expect(after.state()?.quarantined).toEqual([])
        await story.off(after)
        if (!cut) break
      }
      expect(at).toBeGreaterThan(20)
    },
  )

  test.each(shares)(
    `at every step of a challenger’s way into shadow leaves the champion serving (cut $when step $from and every ${stride}th from there)`,
    async ({ done, from }) => {
      const first = await story.boot()
      await first.assign(1, 1)
      await story.off(first)
      const challenger = release(keys.release, 2, artifact(2), { mode: 'shadow' })
      const entry = { manifest: version(1).envelope, mode: 'active', shadow: challenger.envelope }
      const told = sealDesired(keys.director, 2, {}, { models: { [model]: entry } })
      const original = story.folder()
      let at = from
      for (; ; at += stride) {
        const copy = await newFolder()
        await cp(original, copy, { recursive: true })
        story.moveTo(copy)
        const power = createPower(at, done)
        const cut = await until(power, async () => {
          const gateway = await story.boot({ wrap: power.wrap })
          await gateway.models.desired(told)
          await gateway.when(() => gateway.state()?.shadow?.state === 'running')
          await story.off(gateway)
        })
        story.forget()
        const after = await story.boot()
        expect(await after.answers()).toBe(1)
        // It is retained: the next connect brings it again, and the challenger runs in the end.
        await after.models.desired(told)
        await after.when(() => after.state()?.shadow?.state === 'running')
        expect(await after.answers()).toBe(1)
        expect(after.state()).toMatchObject({ quarantined: [], releaseMax: 1, active: { version: 1 } })
        await story.off(after)
        if (!cut) break
      }
      expect(at).toBeGreaterThan(20)
    },
  )

  test.each(shares)(
    `at every step of a rollback loses no command and does none twice (cut $when step $from and every ${stride}th from there)`,
    async ({ done, from }) => {
      const first = await story.boot()
      await first.assign(1, 1)
      await first.assign(2, 2)
      await story.off(first)
      const message = sealCommand(keys.technician, { operation: 'rollback', target: 'previous', counter: 1 })
      const original = story.folder()
      let at = from
      for (; ; at += stride) {
        const copy = await newFolder()
        await cp(original, copy, { recursive: true })
        story.moveTo(copy)
        story.centre.results.length = 0
        const power = createPower(at, done)
        const cut = await until(power, async () => {
          const gateway = await story.boot({ wrap: power.wrap })
          await story.command(gateway, message)
          await story.off(gateway)
        })
        story.forget()
        const after = await story.boot()
        expect([1, 2]).toContain(await after.answers())
        // The broker delivers again what was not acknowledged.
        await after.models.command(message)
        await story.centre.heard(() => story.resultsOf('c-1').at(-1)?.state === 'succeeded')
        expect(await after.answers()).toBe(1)
        expect(after.state()).toMatchObject({
          pinned: true,
          active: { version: 1 },
          previous: { version: 2 },
        })
        await story.off(after)
        if (!cut) break
      }
      expect(at).toBeGreaterThan(15)
    },
  )
})
