import { onAbort } from '../../abort.js';

/**
 * Joins a caller's signal with a shorter-lived one, for as long as somebody listens to the joint signal. `AbortSignal.any` would be it, but that on Node 20 every
 * joint signal stays behind on the caller's, which may live as long as the process (https://github.com/nodejs/node/issues/55351).
 */
export class SignalLinks {
  /** A signal does not keep its controller alive by itself. */
  readonly #controllers = new WeakMap<AbortSignal, AbortController>();
  readonly #unlink = new FinalizationRegistry<() => void>((unlink) => unlink());

  link(callers: AbortSignal, other: AbortSignal): AbortSignal {
    const controller = new AbortController();
    const { signal } = controller;
    this.#controllers.set(signal, controller);
    for (const source of [callers, other]) {
      if (source.aborted) {
        controller.abort(source.reason);
        return signal;
      }
      const weak = new WeakRef(controller);
      // The listener holds these links, so that they last as long as what they have linked.
      const forward = (): void => this.#forward(source, weak);
      this.#unlink.register(signal, onAbort(source, forward));
    }
    return signal;
  }

  #forward(source: AbortSignal, to: WeakRef<AbortController>): void {
    to.deref()?.abort(source.reason);
  }
}
