import { Credential } from '../credential/credential.js';
import { callWithin } from '../signals/call-within.js';
import { requireOptions, wholeNumber } from '../signals/checked.js';
import { type ChainExplanation, type ChainStep, explanationOf, step } from './chain-explanation.js';
import { failureCode } from './failure-code.js';
import { requestSecrets } from './request-secrets.js';
import { type CredentialSource, NO_CREDENTIAL, nameOf, type SourceAnswer, type SourceContext, type UpstreamQuery } from './source.js';
import { SourceError } from './source-error.js';

export type { ChainExplanation, ChainStep } from './chain-explanation.js';

/** Options of `firstOf`. */
export interface ChainOptions {
  /** How a chain is called where it is a source of another. Default `chain`. */
  readonly name?: string | undefined;
  /** How long each source may take, in milliseconds; a chain in a chain as a whole. Default 5 s. */
  readonly timeoutMs?: number | undefined;
}

/** Options of a single question to a chain. */
export interface AskOptions {
  /** Ends the waiting; the promise rejects with its reason. Default, or null: nothing does. */
  readonly signal?: AbortSignal | null | undefined;
  /** How long each source may take, in milliseconds. Default: as the chain has it. */
  readonly timeoutMs?: number | undefined;
}

/** A credential and the name of the source that gave it. Without a credential nothing is sent; `source` then said so, or no source had any. */
export interface Sourced {
  readonly credential: Credential | undefined;
  readonly source: string | undefined;
}

/** Sources that are asked one after the other. It is a source itself. */
export interface SourceChain<Query = UpstreamQuery> extends CredentialSource<Query> {
  (query: Query, context: SourceContext): Promise<SourceAnswer>;
  /**
   * The first answer. Rejects with a `SourceError` if a source is unavailable before there is one, with the signal's reason, and with a TypeError for
   * an unknown option.
   */
  resolve(query: Query, options?: AskOptions): Promise<Sourced>;
  /** Asks the sources as `resolve` does, and tells what each said; that one is unavailable too. Rejects with the signal's reason, or a TypeError. */
  explain(query: Query, options?: AskOptions): Promise<ChainExplanation>;
}

interface Asked {
  readonly answer: SourceAnswer;
  readonly source: string | undefined;
  readonly steps: readonly ChainStep[];
  /** Of the last one asked. */
  readonly unavailable: SourceError | undefined;
}

const WHERE = 'firstOf';

/**
 * The first credential that one of the sources has, in their order. One that is unavailable ends the search as an authoritative none does: with an
 * error, not with the next source.
 * @throws {TypeError} naming the source or option that is wrong.
 */
export function firstOf<Query = UpstreamQuery>(
  sources: readonly CredentialSource<Query>[],
  options: ChainOptions = {},
): SourceChain<Query> {
  requireOptions(WHERE, options, ['name', 'timeoutMs']);
  const { name = 'chain' } = options;
  if (typeof name !== 'string' || name === '') throw new TypeError(`${WHERE}: \`name\` must be a string that is not empty`);
  const eachMs = wholeNumber(WHERE, 'timeoutMs', options.timeoutMs, 1, ' of milliseconds') ?? 5_000;
  if (!Array.isArray(sources)) throw new TypeError(`${WHERE}: \`sources\` must be a list of functions`);
  const chained = sources.map((source: CredentialSource<Query>, index) => {
    if (typeof source !== 'function') throw new TypeError(`${WHERE}: \`sources[${index}]\` must be a function`);
    return { name: nameOf(source) ?? `source ${index + 1}`, ask: source };
  });

  const askAll = async (query: Query, signal: AbortSignal | undefined, timeoutMs: number): Promise<Asked> => {
    signal?.throwIfAborted();
    const steps: ChainStep[] = [];
    for (const { name: source, ask } of chained) {
      const answer = await answerWithin((own) => ask(query, { signal: own }), { source, query, timeoutMs, signal });
      steps.push(stepOf(source, answer));
      if (answer instanceof SourceError) return { answer: undefined, source, steps, unavailable: answer };
      if (answer !== undefined) return { answer, source, steps, unavailable: undefined };
    }
    return { answer: undefined, source: undefined, steps, unavailable: undefined };
  };

  const found = async (query: Query, signal: AbortSignal | undefined, timeoutMs: number): Promise<Asked> => {
    const asked = await askAll(query, signal, timeoutMs);
    if (asked.unavailable !== undefined) throw asked.unavailable;
    return asked;
  };

  const readAsk = (where: string, ask: AskOptions): [signal: AbortSignal | undefined, timeoutMs: number] => {
    requireOptions(where, ask, ['signal', 'timeoutMs']);
    return [ask.signal ?? undefined, wholeNumber(where, 'timeoutMs', ask.timeoutMs, 1, ' of milliseconds') ?? eachMs];
  };

  const chain = async (query: Query, { signal }: SourceContext): Promise<SourceAnswer> => (await found(query, signal, eachMs)).answer;
  return Object.assign(chain, {
    sourceName: name,
    async resolve(query: Query, ask: AskOptions = {}) {
      const { answer, source } = await found(query, ...readAsk('resolve', ask));
      return { credential: answer === NO_CREDENTIAL ? undefined : answer, source };
    },
    async explain(query: Query, ask: AskOptions = {}) {
      const { steps } = await askAll(query, ...readAsk('explain', ask));
      return explanationOf(
        steps,
        chained.map(({ name }) => name),
      );
    },
  });
}

/** Why it is unavailable is an answer too. Rejects with the signal's reason only. */
async function answerWithin(
  call: (signal: AbortSignal) => SourceAnswer | PromiseLike<SourceAnswer>,
  { source, query, timeoutMs, signal }: { source: string; query: unknown; timeoutMs: number; signal: AbortSignal | undefined },
): Promise<SourceAnswer | SourceError> {
  let own: AbortSignal | undefined;
  try {
    const answer = await callWithin<SourceAnswer>(
      (given) => {
        own = given;
        return call(given);
      },
      { timeoutMs, signal },
    );
    if (answer === undefined || answer === NO_CREDENTIAL || answer instanceof Credential) return answer;
    return new SourceError(source, 'it answered neither a credential, nor NO_CREDENTIAL, nor undefined');
  } catch (cause) {
    // The caller has called it off: whatever the source made of that is of no matter.
    signal?.throwIfAborted();
    if (own?.aborted) return new SourceError(source, `no answer within ${timeoutMs} ms`);
    // That of a chain in this chain, or of a source that has said it all.
    if (cause instanceof SourceError) return cause;
    const credentials = requestSecrets(query);
    return new SourceError(source, failureCode(cause, credentials) ?? 'it failed', { cause, credentials });
  }
}

function stepOf(source: string, answer: SourceAnswer | SourceError): ChainStep {
  if (answer instanceof SourceError) return step(source, 'unavailable', { reason: answer.reason });
  if (answer instanceof Credential) return step(source, 'found', { fingerprint: answer.fingerprint });
  return step(source, answer === undefined ? 'nothing' : 'none');
}
