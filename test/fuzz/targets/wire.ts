import fc from 'fast-check';
import { readAnswer, readGroup, readLock, readPublished, readRefs } from '../../../src/adapters/redis/wire.js';
import { bearer } from '../../../src/credential/credential.js';
import { openCredential, readKeys, Sealer, sealCredential } from '../../../src/fleet/seal.js';
import { readPin, readSlot, readSuccessor } from '../../../src/fleet/slot-text.js';
import { PLAIN_SECRET, require, requireNoSecret, SECRET, within } from '../ground.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';

const { keys } = readKeys({ seal: 'a sealing secret of 32 characters or more' });
const sealer = new Sealer(keys);
const sealed = sealCredential(sealer, bearer(PLAIN_SECRET), 'p', 'here');

const STAMP = '0001234567890123';
const records = `[["i","00aa",["v","3","r","${STAMP}21767225600000,5,401"]],["s","11bb",["v","1","p.22cc","${STAMP}0,1767225600000,00aa,0,"]]]`;
const anyAnswer = mutated([
  `["epoch","7","1767225600000","${STAMP}",${records}]`,
  `["m","epoch","7","${STAMP}",${records}]`,
  `["r","lock","note"]`,
  '["i:00aa","s:11bb"]',
  '["1","tag"]',
  '{}',
  '60000',
]);
const anyField = mutated([`${STAMP}0,1767225600000,00aa,0,x`, `${STAMP}1767225600000,00aa,${sealed}`, `${STAMP},,,`, STAMP, '']);

export const wireTarget = target({
  name: 'store: answers of the server, fields, sealed values',
  share: 5,
  input: fc.record({
    answer: anyAnswer,
    field: anyField,
    blob: mutated([sealed, sealCredential(sealer, bearer(SECRET), undefined, 'there')]),
    place: mutated(['here', 'there']),
  }),
  check({ answer, field, blob, place }) {
    const read = within(() => readAnswer(answer));
    const published = within(() => readPublished(answer));
    const message = published?.kind === 'message' ? published.message : undefined;
    require(message === undefined || Number.isSafeInteger(message.seq), `a message numbered ${message?.seq}`);
    for (const record of [...(read?.records ?? []), ...(message?.records ?? [])]) {
      require(['identity', 'session', 'tenant'].includes(record.kind) &&
        Number.isSafeInteger(record.version), 'a record of no kind, or no version');
      for (const text of Object.values(record.fields)) require(/^\d{16}/.test(text), 'a field without a number');
    }
    for (const ref of within(() => readRefs(answer)) ?? []) require(typeof ref.name === 'string', 'a record without a name');
    const group = within(() => readGroup(answer));
    require(typeof group?.alone === 'boolean', 'neither alone nor not');
    const leftMs = within(() => readLock(answer));
    require(leftMs === undefined || leftMs >= 0, `a lock for ${leftMs} ms`);
    for (const readField of [readSlot, readPin, readSuccessor]) within(() => readField(field));
    const opened = within(() => openCredential(sealer, blob, place));
    // Which key it was sealed with is only a hint; all else is as it was, and where it was.
    const inside = opened && `${opened.credential.reveal()} ${opened.provider}`;
    require(inside === undefined ||
      inside === (place === 'here' ? `${PLAIN_SECRET} p` : `${SECRET} undefined`), 'it opens where it was not sealed, or changed');
    requireNoSecret('what was opened', opened);
  },
});
