/** A way to the store of which nothing is to be said. */
export const QUIET_LINK = { greet: async (): Promise<void> => {} };
