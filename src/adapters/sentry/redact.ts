/** What stands where a credential stood. */
export const REDACTED = '[redacted]';

/** Longer texts are cut: nobody reads them, and looking through them has its price. In characters. */
const LONGEST_TEXT = 65_536;

/** Names whose values are secret wherever they stand. */
const SECRET_NAME =
  /(?:authorization|credentials?|cookies?|passw(?:or)?d|passphrase|secrets?|tokens?|(?:api|access|private|secret|signing)keys?)$/;

/** Names whose values are secret among headers, cookies and query parameters, where names are many and any might be. */
const SECRET_PARAMETER = /(?:(?<!public)keys?|auth|signature|sig)$/;

/** Where names follow the looser rule for what holds them. */
const PARAMETERS = /(?:headers|query|querystring|params|searchparams)$/;

/** Of one word only those that nothing else is called. */
const HEADER = /^(?:authorization|cookie|[a-z][a-z\d]{0,31}(?:-[a-z\d]{1,31}){1,6})$/i;

const HEADER_ATTRIBUTE = /^http\.(?:request|response)\.header\./;

const NAMED = '(?:authorization|cookie|credential|passw(?:or)?d|passphrase|secret|token)s?';
/** Alone, and between quotes, a key is more often of a map or a cache. */
const NAMED_KEY = '(?:(?:api|access|private|secret|signing)[-_]?|\\bx-[\\w-]{1,40})keys?';

/**
 * Each begins at a fixed word and runs on without going back, so that the time is linear in the length of the text:
 * what is looked through here may have been written by an attacker.
 */
const PATTERNS: readonly RegExp[] = [
  // `Bearer x`, URL-encoded too, but not `bearer token`.
  /(?<=\bbearer(?:\s{1,4}|%20|\+))(?!(?:auth\w{0,12}|credentials?|scheme|tokens?|is|was|of|or|and)\b)[^\s"'`,;<>&]+/gi,
  // A name and a password (RFC 7617); a capital or a digit tells them from English.
  /(?<=\b[Bb]asic(?:\s{1,4}|%20))(?=[a-z+/]{0,24}[A-Z\d=])[\w+/]{6,}={0,2}/g,
  // A JSON Web Token (RFC 7519): base64url of `{"` and on.
  /(?<![\w-])eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)*/g,
  // The keys of well-known services begin with their name.
  /(?<![\w-])(?:sk|pk|rk)[-_][\w-]{12,}/g,
  /(?<![\w-])(?:AIza|ya29\.|gh[opsu]_|github_pat_|glpat-|xox[abeprs]-|AKIA)[\w-]{12,}/g,
  // `https://user:password@host`
  /(?<=:\/\/)[^\s/@:"']*:[^\s/@"']+(?=@)/g,
  // `?token=x`, `token%3Dx`
  new RegExp(`(?<=(?:${NAMED}|(?<!public[-_]?)keys?|signature)(?:=|%3D))[^&\\s"'\`#;,<>)}]+`, 'gi'),
  // `"token":"x"`, `token: 'x'`, `token = "x"`, and the same inside of a JSON string
  new RegExp(`(?<=(?:${NAMED}|${NAMED_KEY})\\\\{0,3}["']?\\s{0,2}[:=]\\s{0,2}\\\\{0,3}["'\`])[^"'\`\\\\\\r\\n]+`, 'gi'),
  // A header as it goes over the wire
  /(?<=\b(?:x-api-key|x-goog-api-key|api-key|(?:proxy-)?authorization|(?:set-)?cookie):\s{0,2})[^\s"'][^"'\r\n]*/gi,
];

/** Replaces what looks like a credential in a text. What is left alone comes back as it is. */
export function redactText(text: string): string {
  let redacted = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}… [cut]` : text;
  for (const pattern of PATTERNS) redacted = redacted.replace(pattern, REDACTED);
  return redacted;
}

/** Whether what a property of this name holds is secret, whatever it looks like. */
export function isSecretName(name: string, amongParameters: boolean): boolean {
  const isHeader = HEADER_ATTRIBUTE.test(name);
  const plain = plainName(isHeader ? name.replace(HEADER_ATTRIBUTE, '') : name);
  return SECRET_NAME.test(plain) || ((amongParameters || isHeader) && SECRET_PARAMETER.test(plain));
}

/** Whether a text is the name of a header whose value is secret, wherever it stands: raw headers are a list of names and values. */
export function isSecretHeader(text: string): boolean {
  return HEADER.test(text) && isSecretName(text, true);
}

/** Whether what a property of this name holds are headers or parameters by name. */
export function holdsParameters(name: string): boolean {
  return PARAMETERS.test(plainName(name));
}

/** `x-api-key`, `apiKey` and `API_KEY` alike. */
function plainName(name: string): string {
  return name
    .slice(-64)
    .replace(/[-_.\s]/g, '')
    .toLowerCase();
}
