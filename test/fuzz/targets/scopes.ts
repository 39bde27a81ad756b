import fc from 'fast-check';
import { bearer } from '../../../src/credential/credential.js';
import { ended, requireNoSecret, SECRET, within } from '../ground.js';
import { Subject } from '../healthy.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';
import { anyHostile } from '../values.js';

const anyPart = fc.oneof(
  mutated(['s', 'session-1', '\0-1:a', '1:a', '-', '!', 'a'.repeat(1_024), '__proto__', 'constructor', 'P1']).map(
    (text) => () => text as unknown,
  ),
  anyHostile(),
);
const anyScope: fc.Arbitrary<() => unknown> = fc.oneof(
  fc
    .array(fc.tuple(fc.constantFrom('tenant', 'session', 'provider', 'purpose', 'tenants', '__proto__', 'toString'), anyPart), {
      maxLength: 4,
    })
    .map((entries) => () => {
      const scope: Record<string, unknown> = {};
      for (const [name, make] of entries) Object.defineProperty(scope, name, { value: make(), enumerable: true, configurable: true });
      return scope;
    }),
  anyPart,
);
const anyCredential = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      () => bearer('a'),
      () => bearer(SECRET.replaceAll('"', '')),
    ),
  },
  { weight: 1, arbitrary: anyHostile() },
);

const single = new Subject({ canonicalProvider: (provider) => provider.toLowerCase(), limits: { sessions: 50, identities: 50 } });
const multi = new Subject({ tenancy: 'multi' });

export const scopesTarget = target({
  name: 'scopes: what they are made of',
  share: 4,
  input: fc.record({ scope: anyScope, credential: anyCredential, isMulti: fc.boolean() }),
  async check({ scope, credential, isMulti }) {
    const subject = isMulti ? multi : single;
    const { latchkey } = subject;
    const given = [];
    // What a getter of the caller's own throws is the caller's own.
    given.push(within(() => latchkey.capture(scope() as never, credential() as never), 'passed on')?.settle(401));
    for (const ask of ['canRun', 'resolve', 'status', 'explain', 'isLoaded', 'forgive', 'evict', 'pin'] as const)
      given.push(within(() => (latchkey[ask] as (scope: unknown, more?: unknown) => unknown)(scope(), credential()), 'passed on'));
    given.push(
      await ended(
        Promise.resolve().then(() => latchkey.run(scope() as never, () => 'fine', { whenBlocked: 'skip' })),
        'passed on',
      ),
    );
    given.push(
      await ended(
        Promise.resolve().then(() => latchkey.load([scope() as never])),
        'passed on',
      ),
    );
    requireNoSecret('an answer', given);
    await subject.requireHealthy();
  },
});
