// The package ships no types; this is what the bench uses of it.
declare module 'opossum' {
  class CircuitBreaker<T> {
    constructor(action: () => Promise<T>, options?: { timeout?: number | false; errorThresholdPercentage?: number; resetTimeout?: number });
    fire(): Promise<T>;
  }
  export = CircuitBreaker;
}
