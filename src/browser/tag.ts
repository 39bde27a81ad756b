/** What is read of a response. */
export interface TaggedResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
}

/** Whether the gateway says that the upstream rejected its credential. A repeated header reads `1, 1`, which is nobody's word. */
export function isTagged({ headers }: TaggedResponse): boolean {
  return headers.get('x-upstream-auth-failed') === '1';
}

/** Whether the gateway wants the user to prove who they are once more, before this one action. */
export function wantsStepUp({ headers }: TaggedResponse): boolean {
  return headers.get('x-reauth-required') === '1';
}
