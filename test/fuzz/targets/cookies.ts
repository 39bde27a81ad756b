import fc from 'fast-check';
import { sessionCookies } from '../../../src/signals/cookies.js';
import { loginState } from '../../../src/signals/login-state.js';
import { PLAIN_SECRET, require, requireNoSecret, within } from '../ground.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';
import { anyHostile } from '../values.js';

const LINE = /^[!#-+\--:<-[\]-~]+=[!#-+\--:<-[\]-~]*; Path=\/[!-:<-~]*(?:; Max-Age=\d+)?; HttpOnly; SameSite=Lax(?:; Secure)?$/;
const KEYS = ['a login key of 32 characters or more'];

const state = loginState({ https: true, prefix: '/gw', keys: KEYS, clock: { now: () => Date.UTC(2026, 0, 1) } });
const issued = state.issue('/gw/panel?a=1').split(';', 1)[0] ?? '';
const cookies = sessionCookies({ https: true, prefix: '/gw' });
const anyHeader = fc.oneof(
  mutated([
    '__Secure-session=abc; __Secure-refresh=def',
    '__Host-session=abc',
    issued,
    `${issued}; ${issued}`,
    'a="b;c"; =; ;;',
    '__Secure-session=',
  ]),
  fc.array(mutated([issued, '__Secure-session=x']), { maxLength: 3 }),
);
const anyPath = mutated(['/gw', '/', '', '/a/b', '//a', '/a/../b', '/a;b', '/ü', '/gw/']);

export const cookiesTarget = target({
  name: 'cookies: headers, values, login state',
  share: 4,
  input: fc.record({
    header: anyHeader,
    resisting: fc.option(anyHostile(), { nil: undefined, freq: 8 }),
    value: mutated([PLAIN_SECRET, 'eyJ.a.b', 'a b', 'a"b', 'a;b', 'ü']),
    prefix: anyPath,
    name: mutated(['session', '__Host-x', 'a b', '']),
    next: mutated([
      '/panel',
      '//evil.example',
      '/\\evil.example',
      '/login',
      '/api/x',
      '/%2fevil.example',
      'http://evil.example/',
      '/gw/login',
      '/a?b#c',
      '/a\tb',
    ]),
  }),
  check({ header, resisting, value, prefix, name, next }) {
    const read = within(() => cookies.read((resisting === undefined ? header : resisting()) as never), 'passed on');
    for (const list of [read?.session ?? [], read?.refresh ?? []])
      require(list.length <= 8 && list.every((one) => one !== ''), 'too many values, or empty ones');
    const place = state.read(header as never);
    require(place === '' || place === '/gw/panel?a=1', `a login state that was never issued: ${place}`);
    const own = within(() => sessionCookies({ https: true, prefix, name }));
    const lines = within(() => own?.set(value, value)) ?? [];
    for (const line of [...lines, ...(own?.clear() ?? [])]) require(LINE.test(line), `a cookie that browsers read otherwise: ${line}`);
    const line = state.issue(next);
    require(LINE.test(line), `a cookie that browsers read otherwise: ${line}`);
    const back = state.read(line.split(';', 1)[0]);
    const url = new URL(back || '/', 'https://gateway.example');
    require(url.origin === 'https://gateway.example' && back === (back && url.pathname + url.search), `a login goes to ${back}`);
    requireNoSecret('a login state', [place, back]);
  },
});
