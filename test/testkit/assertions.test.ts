import { describe, expect, it } from 'vitest';
import { bearer, createLatchkey, type Incident } from '../../src/index.js';
import { maxRejections, reportedOnce } from '../../src/testkit/assertions.js';
import { createRecordingReporter } from '../../src/testkit/recording-reporter.js';
import { createUpstream } from '../../src/testkit/upstream.js';

const CREDENTIAL = bearer('token-of-a-1234');

describe('maxRejections', () => {
  it('counts the 401s and 403s, of one credential or of all', async () => {
    const upstream = createUpstream({
      credentials: { dead: CREDENTIAL },
      rules: [
        { for: 'dead', status: 401, times: 2 },
        { for: 'none', status: 403 },
      ],
    });
    for (let call = 0; call < 3; call++) await upstream.fetch('http://upstream.test', { headers: CREDENTIAL.headers() });
    await upstream.fetch('http://upstream.test');
    maxRejections(upstream, 3);
    maxRejections(upstream, 2, { of: 'dead' });
    expect(() => maxRejections(upstream, 1, { of: 'dead' })).toThrow(
      /^maxRejections: 2 rejections of dead, not 1 at the most\n {2}call 1 at \d+ ms: GET \/ with dead: 401/,
    );
    expect(() => maxRejections(upstream, 2)).toThrow('3 rejections, not 2');
    expect(() => maxRejections(upstream, -1)).toThrow(TypeError);
    expect(() => maxRejections(upstream, 0, { of: 'daed' })).toThrow(TypeError);
    expect(() => maxRejections(upstream, 1, { for: 'dead' } as never)).toThrow('unknown option `for`');
  });
});

describe('reportedOnce', () => {
  it('is about what a reporter was told', async () => {
    const reporter = createRecordingReporter();
    expect(() => reportedOnce(reporter)).toThrow('no incident was told');
    const upstream = createUpstream({ credentials: { CREDENTIAL }, rules: [{ for: 'CREDENTIAL', status: 401 }] });
    const latchkey = createLatchkey({ reporter });
    latchkey.capture('s', CREDENTIAL);
    await latchkey.run('s', upstream.attempt, { whenBlocked: 'skip' });
    const opening = reportedOnce(reporter, { credential: CREDENTIAL, ended: false });
    expect(opening).toMatchObject({ fingerprint: CREDENTIAL.fingerprint, status: 401 });
    expect(reporter.open).toEqual([opening]);
    expect(() => reportedOnce(reporter, { ended: true })).toThrow('its end was not told\n  opened: identity');
    latchkey.capture('s', bearer('token-of-b'));
    reportedOnce(reporter, { credential: CREDENTIAL.fingerprint, ended: 'fresh' });
    expect(() => reportedOnce(reporter, { ended: 'proof' })).toThrow('it did not end with proof');
    expect(() => reportedOnce(reporter, { ended: false })).toThrow('its end was told');
    expect(() => reportedOnce(reporter, { credential: 'another' })).toThrow('no incident was told');
    expect(reporter).toMatchObject({ open: [], openings: [{}], endings: [{}] });
    expect(() => reportedOnce(reporter, { end: 'fresh' } as never)).toThrow('unknown option `end`');
  });

  it('once is neither twice, nor of another', () => {
    const reporter = createRecordingReporter();
    const incident = { id: '1', kind: 'identity', fingerprint: 'f', provider: 'llm' } as Incident;
    reporter.opened(incident);
    reporter.ended({ ...incident, id: '2', end: 'fresh' });
    expect(() => reportedOnce(reporter)).toThrow('the end of another incident');
    reporter.ended({ ...incident, end: 'fresh' });
    expect(() => reportedOnce(reporter)).toThrow('an end was told 2 times');
    reporter.opened(incident);
    expect(() => reportedOnce(reporter)).toThrow(
      /told 2 times\n {2}opened: identity f at llm\n {2}opened: identity f at llm\n {2}ended: .*fresh/,
    );
    reporter.clear();
    expect(reporter).toMatchObject({ openings: [], endings: [] });
  });
});
