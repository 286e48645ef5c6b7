/**
 * Attacks, what each is refused with, and the test that tries it at the real component. `code` is null where nothing is
 * said to the attacker: a connection is cut, a message is quarantined, a change is found later.
 */

export interface Attack {
  readonly attack: string
  readonly code: string | null
  /** From the project's root. */
  readonly file: string
  /** The test's name as its file has it, `%s` and all. */
  readonly test: string
}

type Row = readonly [attack: string, code: string | null, test: string]

const at = (file: string, ...rows: readonly Row[]): readonly Attack[] =>
  rows.map(([attack, code, test]) => ({ attack, code, file, test }))

export const attacks: readonly Attack[] = [
  ...at(
    'protocol/src/trust/trust.test.ts',
    ['one bit at every byte of an envelope', 'BAD_SIGNATURE', 'is refused after any change of any byte'],
    ['a malleated signature', 'BAD_SIGNATURE', 'with a malleated signature is refused'],
    [
      'a known key’s name on a stranger’s signature',
      'BAD_SIGNATURE',
      'is refused when a known name stands on a stranger’s signature',
    ],
    [
      'one person signs twice where two are asked for',
      'BAD_SIGNATURE',
      'needs two different keys where the threshold is two',
    ],
    [
      'a trust root that only its own keys sign',
      'NOT_AUTHORISED',
      'goes on with a root that old and new keys signed',
    ],
    ['a trust root version skipped or repeated', 'REPLAYED', 'skips no version and repeats none'],
  ),
  ...at(
    'protocol/src/trust/signatures.test.ts',
    [
      'the signature of one scheme where two are asked for',
      'BAD_SIGNATURE',
      'refuses either half alone, and halves of two people',
    ],
    ['two keys of one person', null, 'counts two keys of one person once, however the name is written'],
  ),
  ...at('test/attacks/vector.test.ts', [
    'other bytes under the public vector of DSSE',
    null,
    'the public vector of DSSE verifies over the bytes that are signed here, and no other bytes do',
  ]),
  ...at(
    'agent/src/models/attacks.test.ts',
    [
      'bits at every byte of a command',
      null,
      'at every byte of a command: none is carried out, and the true one still is',
    ],
    [
      'a bit throughout an assignment',
      null,
      'at every byte of an assignment’s signatures, type and names, and at every seventh of the rest',
    ],
    [
      'a bit at random places of an artifact on disk',
      'DIGEST_MISMATCH',
      'at 128 random places of an artifact of 4 MB on disk (seed ${seed})',
    ],
    [
      'replay of a command after a restart',
      'REPLAYED',
      'of a command after a restart, retained, under another name, and of one that was refused before',
    ],
    [
      'replay with retain set',
      'RETAINED',
      'of a command after a restart, retained, under another name, and of one that was refused before',
    ],
    [
      'replay under another id',
      'WRONG_TARGET',
      'of a command after a restart, retained, under another name, and of one that was refused before',
    ],
    [
      'replay from another agent’s topic',
      'WRONG_TARGET',
      'of what was meant for another agent, on this agent’s topic',
    ],
    [
      'a site frozen until its trust root has expired',
      'EXPIRED',
      'lets nothing new in, and the gateway serves on and rolls back',
    ],
    [
      'a key that was rotated while the gateway was away',
      'UNKNOWN_KEY',
      'are followed link by link when it comes back, and the old ones open nothing any more',
    ],
    [
      'a chain of roots with a gap, or a stranger’s',
      null,
      'are not followed over a missing link, by a stranger’s chain, or back',
    ],
    [
      'a stolen director key invents a version',
      'BAD_SIGNATURE',
      'reassigns what the release key signed, and brings nothing else to serve',
    ],
    [
      'a stolen director key promotes a shadow',
      'SHADOW_ONLY',
      'reassigns what the release key signed, and brings nothing else to serve',
    ],
    [
      'a stolen director key mixes models',
      'WRONG_TARGET',
      'reassigns what the release key signed, and brings nothing else to serve',
    ],
    [
      'a stolen director key commands',
      'NOT_AUTHORISED',
      'reassigns what the release key signed, and brings nothing else to serve',
    ],
    ['names of JavaScript as model and id', null, '%s as a model and an id changes nothing'],
  ),
  ...at(
    'agent/src/models/models.test.ts',
    ['an artifact changed on the way', 'BAD_DIGEST', 'bytes changed on the way are BAD_DIGEST'],
    [
      'an artifact longer than signed',
      'TOO_LARGE',
      'an artifact changed in the store is BAD_DIGEST, one of another length is refused at the first piece',
    ],
    ['an assignment changed', 'BAD_SIGNATURE', 'one byte of a signed payload'],
    [
      'an assignment by a stranger',
      'UNKNOWN_KEY',
      'an assignment by an unknown key, and by a key of another role',
    ],
    [
      'an assignment by the release key',
      'NOT_AUTHORISED',
      'an assignment by an unknown key, and by a key of another role',
    ],
    [
      'an older manifest',
      'STALE_RELEASE',
      'an older manifest that is not on disk is STALE_RELEASE, an older assignment REPLAYED',
    ],
    [
      'an older assignment',
      'REPLAYED',
      'an older manifest that is not on disk is STALE_RELEASE, an older assignment REPLAYED',
    ],
    ['an assignment for somebody else', 'WRONG_TARGET', 'an assignment for %s'],
    ['an assignment that has expired', 'EXPIRED', 'an assignment for %s'],
    ['other answers than were signed', 'GOLDEN_MISMATCH', 'a version with %s'],
    ['a contract that contradicts itself', 'CONTRACT_MISMATCH', 'a version with %s'],
    ['a version that is too slow', 'LATENCY', 'a version with %s'],
    [
      'a file that is no model',
      'LOAD_FAILED',
      'a file that is no model is LOAD_FAILED, quarantined, and refused when it comes again',
    ],
    [
      'a quarantined digest once more',
      'QUARANTINED',
      'a file that is no model is LOAD_FAILED, quarantined, and refused when it comes again',
    ],
    [
      'noise as an assignment',
      'MALFORMED',
      'what is no envelope at all raises an alarm and nothing else; a cleared assignment not even that',
    ],
    [
      'more bytes than an envelope has',
      'TOO_LARGE',
      'what is no envelope at all raises an alarm and nothing else; a cleared assignment not even that',
    ],
    [
      'an artifact that nobody hands out',
      'FETCH_FAILED',
      'a fetch that found nobody is tried again at the next connect',
    ],
    [
      'a disk that was filled',
      'NO_SPACE',
      'a disk that takes nothing more changes nothing, says so, and the champion serves after a restart',
    ],
    [
      'an assignment over a technician’s pin',
      'PINNED',
      'rolls back to the previous version without the control centre, and it is pinned',
    ],
    [
      'a command too early, too late, retained, too large, for somebody else',
      'NOT_YET_VALID',
      'is refused %s',
    ],
    ['a command for a version that never was', 'UNKNOWN_VERSION', 'is refused %s, and the champion goes on'],
    ['a rollback to a file that is gone', 'NOT_ON_DISK', 'is refused %s, and the champion goes on'],
    ['a rollback to a file that was changed', 'DIGEST_MISMATCH', 'is refused %s, and the champion goes on'],
    [
      'a command forged under the id of a done one',
      null,
      'is not talked over: a forged message under the id of a done command gets that command’s result',
    ],
    [
      'a manifest changed on disk',
      'BAD_SIGNATURE',
      'a manifest changed on disk is not believed, and mended by the retained assignment',
    ],
  ),
  ...at(
    'agent/src/models/deployment.test.ts',
    [
      'a version that forecasts badly on probation',
      'ACCURACY',
      'a failed probation ends at the champion, and the digest never comes back',
    ],
    ['a version that stops the agent', 'CRASHED', 'the third start that finds it %s is the last'],
    [
      'assignments that overtake each other',
      'SUPERSEDED',
      'a newer assignment replaces the one under way, which is reported as superseded',
    ],
  ),
  ...at(
    'agent/src/models/time.test.ts',
    [
      'a clock a year off',
      'EXPIRED',
      'with a clock %s a gateway serves on, installs nothing, says so once, rolls back, and heals',
    ],
    [
      'an old assignment with the clock of its day',
      'EXPIRED',
      'an old assignment that is played again after a restart with the clock of its day is refused',
    ],
    [
      'a stolen director key uses up the counters',
      null,
      'a director’s stolen key that has used up the counters is overcome by a root with another director',
    ],
  ),
  ...at('agent/src/models/commands/persons.test.ts', [
    'one technician commands a whole site',
    'NOT_AUTHORISED',
    '%s takes two people',
  ]),
  ...at(
    'test/rollback.test.ts',
    ['commands forged in ten ways at a running house', 'BAD_SIGNATURE', '%s: %s'],
    [
      'a retained command at a running house',
      'RETAINED',
      'RETAINED: an order that would lie in the broker for everyone who comes',
    ],
  ),
  ...at(
    'test/tamper.test.ts',
    [
      'an artifact changed in the store of the control centre',
      'BAD_DIGEST',
      'changed in the store of the control centre: BAD_DIGEST',
    ],
    [
      'an artifact changed on the wire, checksum and all',
      'BAD_DIGEST',
      'changed on the way, checksum and all: BAD_DIGEST',
    ],
    [
      'a snapshot changed before the training',
      'DATASET_CHANGED',
      'trains nothing: the run ends with DATASET_CHANGED, and somebody is told',
    ],
  ),
  ...at(
    'coordinator/src/ingest/signed.test.ts',
    ['readings without a signature', 'NOT_SIGNED', '%s is kept aside, and the true batch keeps its place'],
    ['readings in another’s name', 'UNKNOWN_KEY', '%s is kept aside, and the true batch keeps its place'],
    [
      'readings changed, or under another sequence',
      'BAD_SIGNATURE',
      '%s is kept aside, and the true batch keeps its place',
    ],
    [
      'readings by a key that has ended',
      'EXPIRED',
      'a batch that was sent after its key’s certification ended is kept aside',
    ],
    ['readings a second time', null, 'a true batch that comes again is a duplicate, whoever sends it'],
    [
      'a packet beyond the bound',
      'TOO_LARGE',
      'a packet beyond the bound is refused before anything is computed',
    ],
  ),
  ...at(
    'coordinator/src/trust/batch-signatures.test.ts',
    ['readings by a denied agent', 'DENIED', 'a denied certificate denies the key at once'],
    [
      'a certification of a stranger',
      null,
      'a certification that is not signed by the site, or lies in the wrong place, counts for nothing',
    ],
  ),
  ...at('protocol/src/trust/signed-batch.test.ts', [
    'one bit anywhere in a packet of readings',
    'BAD_SIGNATURE',
    'a single bit that flips anywhere in a packet refuses it',
  ]),
  ...at(
    'coordinator/src/trust/pki/gateway.test.ts',
    [
      'a token used twice',
      'TOKEN_USED',
      'whose answer was lost is answered again for the same keys, and for no others',
    ],
    [
      'a token that has expired',
      'TOKEN_EXPIRED',
      'by an expired token is refused, also for the key that used it',
    ],
    ['a token that nobody gave out', 'TOKEN_UNKNOWN', 'with %s is refused'],
    [
      'a token under another name',
      'WRONG_TARGET',
      'under another agent’s name is refused and leaves the token good',
    ],
    [
      'a request signed by another key',
      'BAD_REQUEST',
      'whose request is signed by another key than the one inside is refused, and the token stays good',
    ],
    [
      'a renewal long before its time',
      'TOO_EARLY',
      'before the last third of the certificate’s life is too early',
    ],
    ['ever new keys', 'TOO_MANY', 'with ever new keys ends at sixteen certificates'],
    ['a revoked certificate', 'DENIED', 'that is denied gets neither artifacts nor a renewal'],
    [
      'a foreign authority under the same names',
      null,
      'is refused when a foreign authority has signed it, under the same names',
    ],
    ['a path outside as an artifact', null, 'that is none is not found'],
    ['TLS 1.2', null, 'speaks TLS 1.3 and nothing older'],
    ['a body without end', null, 'reads no more than sixteen kilobytes of a body'],
    [
      'a flood from one address',
      null,
      'cuts the connections of one address that are too many, and serves it when they are gone',
    ],
  ),
  ...at(
    'coordinator/src/broker/certified.test.ts',
    ['a foreign certificate', null, 'of a foreign authority opens nothing, and is told of'],
    ['a certificate that has run out', null, 'has run out'],
    [
      'a revoked certificate on an open connection',
      'DENIED',
      'ends the open connection within a second of its denial, and opens no other',
    ],
    ['another’s client id, also `__proto__`', 'BAD_IDENTITY', 'is cut when its client id is %s'],
    [
      'speaking as another agent',
      null,
      'is quarantined and told of when it speaks as another, and stays connected',
    ],
    ['an agent without a certificate', null, 'is not %s'],
    ['a last will in another’s name', null, 'leaves no last will in another’s name'],
    ['a PUBLISH of 200 MB', null, 'a PUBLISH of 200 MB ends its connection at the announcement'],
    ['1,000 topic levels', null, 'a %s of 1,000 levels ends its connection and nothing else'],
    ['a flood of messages', null, 'whoever is too fast is slowed down, loses nothing, and holds up nobody'],
    ['a flood of connections', null, 'at the %s door is bounded, and lets others in'],
    ['a retained command', 'RETAINED', 'a retained command is stored for nobody'],
  ),
  ...at(
    'coordinator/src/control/uploads.test.ts',
    ['an upload with a path outside', null, 'have no path outside of their folder'],
    ['an upload without end', null, 'read no more of a sender than the bound'],
    ['uploads that are not what they are called', null, '%s are refused and leave nothing behind'],
  ),
  ...at('coordinator/src/api/registrations.test.ts', [
    'an upload that is announced as too large',
    'TOO_LARGE',
    'that is announced as too large is not read',
  ]),
  ...at('test/attacks/paths.test.ts', [
    'paths outside, over the API',
    null,
    '%s is refused with a code, and nobody inside is asked',
  ]),
  ...at(
    'coordinator/src/training/foreign/foreign.test.ts',
    [
      'a model file that reads other files',
      null,
      'keeps its weights inside: a path to other files is not followed',
    ],
    [
      'a model file of nested graphs',
      null,
      'with thousands of graphs in each other is refused and crashes nothing',
    ],
  ),
  ...at('coordinator/src/registry/verify.test.ts', [
    'a history rewritten and chained anew',
    null,
    'finds a history that was rewritten and chained anew, by the head outside of it',
  ]),
  ...at('agent/src/audit/audit.test.ts', [
    'an agent’s log changed on its disk',
    null,
    'that was tampered with is set aside, and a new one says so',
  ]),
  ...at('coordinator/src/audit/collector.test.ts', [
    'an agent’s log that was cut or rewritten',
    'AUDIT_REWRITTEN',
    'tells of a log that was rewritten, at its end and in the middle',
  ]),
  ...at(
    'coordinator/src/api/people/people.test.ts',
    [
      'guessing a password',
      null,
      'locks a name after five failures, twice as long each time, and says the same of names that nobody has',
    ],
    [
      'guessing tokens',
      'TOO_MANY_ATTEMPTS',
      'tokens and one-time secrets can be tried no more often than passwords',
    ],
  ),
  ...at('coordinator/src/api/session.test.ts', [
    'a change from a page of another site',
    null,
    'not even a login is taken from a page of another site',
  ]),
  ...at(
    'coordinator/src/api/roles.test.ts',
    ['any route without a login', null, 'is refused without a login'],
    ['any route with too low a role', null, 'is refused with too low a role'],
  ),
  ...at('test/fuzz/fuzz.test.ts', [
    'mutated bytes at every parser',
    null,
    'no input crashes a parser or is accepted wrongly (seed ${seed})',
  ]),
]
