/** The control centre's figures for Prometheus, read at the moment they are asked for. Base units: seconds, bytes, ratios. */

import { collectDefaultMetrics, Gauge, Registry as MetricRegistry } from 'prom-client'
import type { Control } from './control.ts'

export interface Metrics {
  readonly contentType: string
  readonly read: () => Promise<string>
}

export const createMetrics = (control: Control): Metrics => {
  const registry = new MetricRegistry()
  collectDefaultMetrics({ register: registry })
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[] = []): Gauge<Label> =>
    new Gauge({ name: `imlma_${name}`, help, labelNames, registers: [registry] })

  const agentOnline = gauge('agent_online', '1 while the agent is connected, otherwise 0.', ['agent'])
  const backlog = gauge('agent_backlog_readings', 'Readings that wait at the agent.', ['agent'])
  const dropped = gauge('agent_dropped_readings', 'Readings dropped by the agent for lack of disk.', [
    'agent',
  ])
  const resident = gauge('agent_resident_bytes', 'Resident memory of the agent.', ['agent'])
  const serving = gauge('agent_served_version', 'Version that the agent serves.', ['agent', 'model'])
  const latency = gauge('agent_forecast_seconds', 'Duration of one forecast run, by quantile.', [
    'agent',
    'model',
    'quantile',
  ])
  const champion = gauge('model_champion_version', 'Latest promoted version.', ['model'])
  const readings = gauge('trigger_readings', 'New verified readings since the last training.', ['model'])
  const threshold = gauge('trigger_threshold_readings', 'New readings that start a training.', ['model'])
  const events = gauge('registry_events', 'Events in the registry.')
  const brokerUp = gauge('broker_connected', '1 while the control side is connected to the broker.')
  const perAgent = [agentOnline, backlog, dropped, resident, serving, latency]

  return {
    contentType: registry.contentType,
    read: async () => {
      const [health, agents, models] = await Promise.all([
        control.health(),
        control.agents(),
        control.models(),
      ])
      // What is gone must not be reported for ever.
      for (const metric of perAgent) metric.reset()
      events.set(health.seq)
      brokerUp.set(Number(health.broker.connected))
      for (const { agent, presence, backlog: waiting, process, models: served } of agents) {
        agentOnline.set({ agent }, Number(presence === 'online'))
        if (waiting !== null) {
          backlog.set({ agent }, waiting.readings)
          dropped.set({ agent }, waiting.dropped)
        }
        if (process !== null) resident.set({ agent }, process.residentBytes)
        for (const { model, version, live } of served) {
          if (version !== null) serving.set({ agent, model }, version)
          for (const [name, ms] of Object.entries(live?.latencyMs ?? {})) {
            latency.set({ agent, model, quantile: `0.${name.slice(1)}` }, ms / 1_000)
          }
        }
      }
      for (const { model, champion: current, trigger } of models) {
        if (current !== null) champion.set({ model }, current.version)
        readings.set({ model }, trigger.readings)
        threshold.set({ model }, trigger.threshold)
      }
      return registry.metrics()
    },
  }
}
