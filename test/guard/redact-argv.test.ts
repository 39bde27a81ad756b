import { describe, expect, it } from 'vitest';
import { bearer } from '../../src/credential/credential.js';
import { redactArgv } from '../../src/guard/redact-argv.js';
import { secretsIn } from '../support/secret-forms.js';

describe('redactArgv', () => {
  it.each<readonly [string, readonly string[], readonly string[]]>([
    ['a value of its own', ['serve', '--token', 'X', '--port', '1'], ['serve', '--token', '[redacted]', '--port', '1']],
    ['a value that is joined', ['serve', '--token=X', '1'], ['serve', '--token=[redacted]', '1']],
    ['a joined value with an equals sign', ['--token=X=Y'], ['--token=[redacted]']],
    [
      'a value that looks like an option',
      ['--token', '-X', '--token', '--port', '1'],
      ['--token', '[redacted]', '--token', '[redacted]', '1'],
    ],
    ['a value that looks like the joined form', ['--token', '--token=X'], ['--token', '[redacted]']],
    ['a flag in place of a value', ['--token', '--token', 'X'], ['--token', '--token', '[redacted]']],
    ['a missing value at the end', ['serve', '--token'], ['serve', '--token']],
    ['an empty value', ['--token', '', '--token='], ['--token', '[redacted]', '--token=[redacted]']],
    ['what comes after the end of options', ['--', '--token', 'X'], ['--', '--token', '[redacted]']],
    ['other options that begin alike', ['--tokens', 'a', '--token-file=b', 'token=c'], ['--tokens', 'a', '--token-file=b', 'token=c']],
    ['nothing', [], []],
  ])('%s', (_, argv, expected) => {
    const before = [...argv];
    expect(redactArgv(argv)).toEqual(expected);
    expect(argv).toEqual(before);
  });

  it('takes several flags', () => {
    const argv = ['--key', 'A', '-t', 'B', '--key=C', '--token', 'D'];
    expect(redactArgv(argv, { flags: ['--key', '-t'] })).toEqual([
      '--key',
      '[redacted]',
      '-t',
      '[redacted]',
      '--key=[redacted]',
      '--token',
      'D',
    ]);
    expect(redactArgv(argv, { flags: [] })).toEqual(argv);
  });

  it('replaces every form of a credential, wherever it stands', () => {
    const secret = 'argv/secret+0815';
    const credential = bearer(secret);
    const argv = [
      secret,
      `--header=Authorization: Bearer ${secret}`,
      `--url=http://h/?t=${encodeURIComponent(secret)}`,
      Buffer.from(`user:${secret}`).toString('base64'),
      JSON.stringify({ secret }),
      'other',
    ];
    const redacted = redactArgv(argv, { credentials: [credential] });
    expect(secretsIn(redacted.join('\n'), [secret])).toEqual([]);
    expect(redacted[1]).toBe(`--header=Authorization: Bearer ${credential}`);
    expect(redacted.at(-1)).toBe('other');
    expect(secretsIn(argv.join('\n'), [secret])).not.toEqual([]);
  });

  it('leaves nothing of a credential that another one is a part of', () => {
    const [long, short] = [bearer('part-0815-and-the-rest'), bearer('part-0815')];
    for (const credentials of [
      [long, short],
      [short, long],
    ]) {
      const [text = ''] = redactArgv(['x=part-0815-and-the-rest'], { credentials });
      expect(text).toBe(`x=${long}`);
    }
  });

  it.each<readonly [string, unknown, unknown, RegExp]>([
    ['no command line', undefined, {}, /`argv` must be a list of strings/],
    ['a command line in one', '--token X', {}, /`argv`/],
    ['something else in it', ['a', 1], {}, /`argv`/],
    ['null options', [], null, /`options`/],
    ['an unknown option', [], { flag: ['--key'] }, /unknown option `flag`/],
    ['one flag', [], { flags: '--key' }, /`flags` must be a list of strings/],
    ['an empty flag', [], { flags: [''] }, /`flags` must be names/],
    ['a flag with an equals sign', [], { flags: ['--key='] }, /`flags` must be names/],
    ['credentials as text', [], { credentials: ['X'] }, /`credentials` must be a list of credentials/],
    ['one credential', [], { credentials: bearer('X') }, /`credentials`/],
  ])('%s: a TypeError that names it', (_, argv, options, message) => {
    const attempt = (): unknown => redactArgv(argv as never, options as never);
    expect(attempt).toThrow(TypeError);
    expect(attempt).toThrow(message);
  });
});
