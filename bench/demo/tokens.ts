/** Whose token it is can be read off it, so that the upstream knows by itself who pays for a call. */
export function tokenOf(user: string, generation: 'old' | 'new'): string {
  return `demo-${generation}.${user}`;
}

export function ownerOf(token: string): string {
  return token.slice(token.indexOf('.') + 1);
}
