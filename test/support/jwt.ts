/** A JWT with these claims; signed by nobody, since nobody here verifies. */
export function jwt(claims: unknown, signature = 'c2lnbmVk'): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'ES256', typ: 'at+jwt' })}.${part(claims)}.${signature}`;
}

/** One that expires at this moment, in milliseconds since the epoch. */
export function jwtUntil(expiresAt: number, name = 'worker'): string {
  return jwt({ sub: name, exp: expiresAt / 1_000 });
}
