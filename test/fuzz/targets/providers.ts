import fc from 'fast-check';
import { classify } from '../../../src/policy/classify.js';
import { type Outcome, parsedBody } from '../../../src/policy/outcome.js';
import { providerRule } from '../../../src/policy/provider-rules.js';
import { require, within } from '../ground.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';
import { anyHostile } from '../values.js';

const BODIES = [
  '{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}',
  '{"type":"error","error":{"type":"permission_error","message":"OAuth token has been revoked"}}',
  '{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}',
  '{"error":{"message":"Incorrect API key","type":"invalid_request_error","code":"invalid_api_key"}}',
  '{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}',
  '{"__type":"com.amazon.coral.service#UnrecognizedClientException"}',
  '{"message":"The security token included in the request is expired"}',
  '[{"error":{"status":"UNAUTHENTICATED"}}]',
];
const KINDS = ['accepted', 'rejected', 'held', 'denied', 'transient', 'none'];

/** One part of a realistic body is another thing altogether. */
const anyBody: fc.Arbitrary<() => unknown> = fc.oneof(
  mutated(BODIES).map((text) => () => parsedBody(text)),
  fc.tuple(fc.constantFrom(...BODIES), fc.nat({ max: 12 }), anyHostile()).map(([text, place, make]) => () => {
    let at = 0;
    return JSON.parse(text, (_, value: unknown) => (at++ === place ? make() : value));
  }),
  anyHostile(),
);

export const providersTarget = target({
  name: 'provider rules: bodies',
  share: 4,
  input: fc.record({
    status: fc.constantFrom(undefined, 200, 400, 401, 402, 403, 404, 429, 500),
    scheme: fc.constantFrom('bearer' as const, 'api-key' as const, undefined),
    provider: fc.constantFrom(undefined, 'anthropic', 'openai', 'google', 'gemini', 'bedrock', 'azure', '__proto__'),
    errorType: fc.option(mutated(['UnrecognizedClientException:http://internal.amazon.com/', 'AccessDeniedException']), { nil: undefined }),
    body: anyBody,
  }),
  check({ status, scheme, provider, errorType, body }) {
    const headers = errorType === undefined ? {} : { 'x-amzn-errortype': errorType };
    const outcome = (): Outcome => ({ status, scheme, headers, body: body() });
    const scope = provider === undefined ? {} : { provider };
    const ruled = within(() => providerRule(outcome(), scope, 1_800_000_000_000));
    const classified = within(() => classify(outcome(), scope, 1_800_000_000_000));
    for (const one of [ruled, classified]) require(one === undefined || KINDS.includes(one.kind), `classified as ${one?.kind}`);
    require(classified !== undefined, 'it is not classified');
    if (status !== undefined && status >= 200 && status < 300)
      require(classified?.kind === 'accepted', `a ${status} is ${classified?.kind}`);
    if (classified?.kind === 'held') require(Number.isFinite(classified.ms) && classified.ms >= 0, `a hold of ${classified.ms} ms`);
  },
});
