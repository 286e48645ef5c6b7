/** Versions as a registry would put them together, for the fixture's few events. */

import type { ChainedEvent, RegistryEvent } from '../../registry/events.ts'
import type { VersionRecord } from '../../registry/registry.ts'

/** What a registry would make of these events. */
export const toVersionRecords = (events: readonly ChainedEvent[]): readonly VersionRecord[] =>
  events.flatMap(({ at, event: trained }) => {
    if (trained.kind !== 'version-trained') return []
    const { version, run } = trained
    const find = <Kind extends RegistryEvent['kind']>(kind: Kind) =>
      events
        .map(({ event }) => event)
        .find(
          (event): event is Extract<RegistryEvent, { kind: Kind }> =>
            event.kind === kind &&
            (('run' in event && event.run === run) || ('version' in event && event.version === version)),
        )
    const decision = find('version-decided')?.decision ?? null
    const signed = find('version-signed')
    const state =
      decision === null
        ? 'trained'
        : ({ promote: 'promoted', reject: 'rejected', inconclusive: 'inconclusive' } as const)[
            decision.verdict
          ]
    return [
      {
        model: trained.model,
        version,
        run,
        parent: trained.parent,
        createdAt: at,
        trigger: find('retraining-triggered')!.trigger,
        dataset: find('dataset-frozen')!.dataset,
        learner: trained.learner,
        parameters: trained.parameters,
        seed: trained.seed,
        codeVersion: trained.codeVersion,
        study: trained.study,
        rows: trained.rows,
        trainSeconds: trained.seconds,
        artifact: trained.artifact,
        decision,
        release: signed?.release ?? null,
        keyid: signed?.keyid ?? null,
        envelopeSha256: signed?.envelopeSha256 ?? null,
        state,
        shadow: null,
        deployments: events.flatMap(({ at: deployedAt, event }) =>
          event.kind === 'version-deployed' && event.version === version
            ? [
                {
                  agent: event.agent,
                  state: event.state,
                  reason: event.reason,
                  detail: event.detail,
                  at: deployedAt,
                },
              ]
            : [],
        ),
        delayMs: find('run-completed')?.delayMs ?? null,
      },
    ]
  })
