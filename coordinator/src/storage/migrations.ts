/**
 * The shape of `registry.db`, as steps that are only ever added to: a database of any earlier version is brought
 * forward one step after the other. `events` is the truth, `states` is what rooms keep for a restart, the fleet's
 * tables are what was last heard; everything else follows from the events and can be replayed.
 */

export interface Migration {
  /** Grows by one; kept in the database as `user_version`. */
  readonly version: number
  readonly name: string
  readonly statements: readonly string[]
}

/** Nobody changes what happened; REPLACE would delete without firing a trigger, hence the one before insert. */
const appendOnlyEvents = [
  `create table events (
    seq integer primary key,
    at integer not null,
    event text not null,
    previousHash text not null,
    hash text not null
  ) strict`,
  `create trigger events_never_change before update on events
    begin select raise(abort, 'events are append-only'); end`,
  `create trigger events_never_go before delete on events
    begin select raise(abort, 'events are append-only'); end`,
  `create trigger events_only_follow before insert on events
    when new.seq <> (select coalesce(max(seq), 0) + 1 from events)
    begin select raise(abort, 'events are append-only: a sequence is one above the last'); end`,
]

const projections = [
  `create table runs (
    model text not null,
    run text not null,
    triggerRecord text not null,
    triggeredAt integer not null,
    triggeredSeq integer not null,
    dataset text,
    version integer,
    failure text,
    delayMs text,
    seq integer not null,
    primary key (model, run),
    check (version is null or dataset is not null)
  ) strict`,
  `create table versions (
    model text not null,
    version integer not null,
    run text not null,
    parent integer,
    createdAt integer not null,
    learner text not null,
    parameters text not null,
    seed integer not null,
    codeVersion text not null,
    study text,
    rows integer not null,
    trainSeconds real not null,
    artifactSha256 text not null,
    artifactBytes integer not null,
    verdict text,
    decision text,
    "release" integer,
    keyid text,
    envelopeSha256 text,
    seq integer not null,
    primary key (model, version),
    unique (model, "release"),
    foreign key (model, run) references runs (model, run)
  ) strict`,
  `create table deployments (
    model text not null,
    version integer not null,
    agent text not null,
    state text not null,
    reason text,
    detail text not null,
    at integer not null,
    seq integer not null,
    primary key (model, version, agent)
  ) strict`,
  `create table assignments (
    model text not null,
    agent text not null,
    version integer not null,
    at integer not null,
    seq integer not null,
    primary key (model, agent)
  ) strict`,
  `create table pins (
    agent text not null,
    model text not null,
    pinned integer not null,
    version integer,
    at integer not null,
    seq integer not null,
    primary key (agent, model)
  ) strict`,
  `create view aliases as
    select model, 'champion' as alias, max(version) as version
    from versions where verdict = 'promote' group by model`,
]

const keptForRestart = [
  `create table states (
    room text not null,
    key text not null,
    value text not null,
    updatedAt integer not null,
    primary key (room, key)
  ) strict, without rowid`,
  `create table fleetAgents (
    site text not null,
    agent text not null,
    record blob not null,
    primary key (site, agent)
  ) strict`,
  `create table fleetPerformance (
    model text not null,
    version integer not null,
    record blob not null,
    primary key (model, version)
  ) strict`,
]

const shadows = [
  `create table shadows (
    model text not null,
    version integer not null,
    champion integer not null,
    "release" integer not null,
    keyid text not null,
    envelopeSha256 text not null,
    startedAt integer not null,
    endedAt integer,
    reason text,
    evidence text,
    seq integer not null,
    primary key (model, version),
    unique (model, "release"),
    foreign key (model, version) references versions (model, version)
  ) strict`,
]

/** A version that was promoted and could not be signed (a full disk) serves nowhere: the one before it goes on. */
const signedChampions = [
  `drop view aliases`,
  `create view aliases as
    select model, 'champion' as alias, max(version) as version
    from versions where verdict = 'promote' and envelopeSha256 is not null group by model`,
]

export const registryMigrations: readonly Migration[] = [
  {
    version: 1,
    name: 'events, their projections, states, fleet',
    statements: [...appendOnlyEvents, ...projections, ...keptForRestart],
  },
  { version: 2, name: 'versions in shadow', statements: shadows },
  { version: 3, name: 'only signed champions', statements: signedChampions },
]
