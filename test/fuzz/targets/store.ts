import fc from 'fast-check';
import type { CarrierListener, RecordKind, StoredRecord } from '../../../src/fleet/carrier.js';
import { createFleetStore } from '../../../src/fleet/store.js';
import { bearer, createLatchkey, type Latchkey } from '../../../src/index.js';
import { type MemoryCarrier, MemoryStore } from '../../support/memory-carrier.js';
import { PLAIN_SECRET, require, requireNoSecret, within } from '../ground.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';

const SEAL = 'a sealing secret of 32 characters or more';
const KINDS = ['identity', 'session', 'tenant'] as const;
/** One fleet takes so many inputs. */
const MOST_USES = 60;

const OWN = { tenant: 'own', session: 's', provider: 'p' };
const OTHER = { tenant: 'other', session: 's', provider: 'p' };

/** A process that hears what we say, beside one that speaks the truth. */
class Fleet {
  uses = 0;
  readonly store = new MemoryStore({ clock: { now: () => Date.now() } });
  readonly carrier: MemoryCarrier = this.store.carrier();
  readonly latchkey: Latchkey;
  readonly #peer: Latchkey;
  #listener: CarrierListener | undefined;

  constructor() {
    const { open } = this.carrier;
    this.carrier.open = (settings, listener) => {
      this.#listener = listener;
      open.call(this.carrier, settings, listener);
    };
    const storeOf = (carrier: MemoryCarrier): ReturnType<typeof createFleetStore> =>
      createFleetStore({ carrier, namespace: 'fuzz', seal: SEAL, syncMs: 3_600_000 });
    this.latchkey = createLatchkey({ store: storeOf(this.carrier), probe: 'off' });
    this.#peer = createLatchkey({ store: storeOf(this.store.carrier()), probe: 'off' });
  }

  async start(): Promise<void> {
    this.latchkey.capture(OWN, bearer(`own-${PLAIN_SECRET}`));
    this.latchkey.capture(OTHER, bearer(`other-${PLAIN_SECRET}`));
    this.#peer.capture({ ...OWN, session: 'r' }, bearer(`own-r-${PLAIN_SECRET}`)).settle(401);
    this.#peer.pin({ tenant: 'own', provider: 'p', purpose: 'x' }, bearer(`pin-${PLAIN_SECRET}`));
    await this.latchkey.load([OWN, OTHER, { ...OWN, session: 'r' }, { ...OWN, purpose: 'x' }]);
    await turns(3);
  }

  hear(records: readonly StoredRecord[], seq: number): void {
    this.#listener?.message({ epoch: 'epoch 1', seq, latest: '0000000000000000', records: structuredClone(records) });
  }

  async close(): Promise<void> {
    await Promise.all([this.latchkey.close({ timeoutMs: 0 }), this.#peer.close({ timeoutMs: 0 })]);
  }
}

let fleet: Fleet | undefined;

async function useFleet(): Promise<Fleet> {
  if (fleet === undefined || ++fleet.uses > MOST_USES) {
    await fleet?.close();
    fleet = new Fleet();
    await fleet.start();
  }
  return fleet;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

const anyText = mutated([
  '0001234567890123',
  '000900719925474099221767225600000,5,401',
  '00012345678901230,1767225600000',
  '99999999999999992',
  '1'.repeat(40),
]);
const anyChange = fc.record({
  how: fc.constantFrom('write', 'say', 'move', 'truncate', 'older'),
  record: fc.nat(),
  field: fc.nat(),
  from: fc.nat(),
  name: mutated(['r', 'e', 'f', 'h', 'x', 'p.00', 'g.00', 'x.00', 's.00', 'n.00', 'u.00', 'w.00', '__proto__']),
  text: anyText,
  kind: fc.constantFrom<RecordKind>(...KINDS),
  seq: fc.constantFrom(-1, 0, 1, 5, 50, Number.MAX_SAFE_INTEGER, Number.NaN),
  version: fc.constantFrom(0, 1, 7, Number.MAX_SAFE_INTEGER, Number.NaN, -1),
});

export const storeTarget = target({
  name: 'store: records and messages of a hostile or older process',
  share: 2,
  input: fc.array(anyChange, { minLength: 1, maxLength: 4 }),
  async check(changes) {
    const used = await useFleet();
    const { latchkey, store } = used;
    for (const change of changes) {
      const dump = store.dump();
      const record = dump[change.record % dump.length];
      const other = dump[change.from % dump.length];
      if (record === undefined || other === undefined) continue;
      const fields = Object.entries(record.fields);
      const [field = 'r', text = ''] = fields[change.field % Math.max(1, fields.length)] ?? [];
      const taken = Object.values(other.fields)[change.field % Math.max(1, Object.keys(other.fields).length)] ?? '';
      const written = {
        write: change.text,
        say: change.text,
        move: taken,
        truncate: text.slice(0, change.field % (text.length + 1)),
        older: `0000000000000001${text.slice(16)}`,
      }[change.how];
      const name = change.how === 'write' || change.how === 'say' ? change.name : field;
      const said: StoredRecord = {
        kind: change.how === 'say' ? change.kind : record.kind,
        name: record.name,
        version: change.version,
        fields: { ...record.fields, [name]: written },
      };
      if (change.how !== 'say') store.write(record, name, written);
      within(() => used.hear([said, other], change.seq));
    }
    await latchkey.load([OWN, OTHER]);
    await turns(2);
    for (const [scope, owner] of [
      [OWN, 'own-'],
      [OTHER, 'other-'],
    ] as const) {
      const found = latchkey.resolve(scope);
      if (found.ok) require(found.lease.credential.reveal().startsWith(owner), `${scope.tenant} has the credential of another`);
      require(found.ok === latchkey.canRun(scope), 'canRun is not resolve().ok');
    }
    const snapshot = JSON.stringify(latchkey.snapshot());
    requireNoSecret('a snapshot', snapshot);
    for (const moment of snapshot.matchAll(/"(?:since|until)":(null|-?\d+(?:e\+\d+)?)/g))
      require(moment[1] !== 'null', 'a moment that is no number');
    // A fresh credential works, whatever was said of others.
    const fresh = { tenant: 'own', session: 'fresh', provider: 'p' };
    const token = bearer(`own-${Math.random()}`);
    latchkey.capture(fresh, token);
    const found = latchkey.resolve(fresh);
    require(found.ok && found.lease.credential.fingerprint === token.fingerprint, 'a fresh credential is not used');
    latchkey.evict({ tenant: 'own', session: 'fresh' });
  },
});
