export {
  type AskOptions,
  type ChainExplanation,
  type ChainOptions,
  type ChainStep,
  firstOf,
  type SourceChain,
  type Sourced,
} from './chain.js';
export { type InferredUpstream, type InferUpstreamOptions, inferUpstream } from './infer-upstream.js';
export { type JobRecord, matchesRecord } from './job-record.js';
export {
  authoritative,
  type CredentialSource,
  NO_CREDENTIAL,
  type SourceAnswer,
  type SourceContext,
  type UpstreamQuery,
} from './source.js';
export { SourceError, type SourceErrorCode } from './source-error.js';
export { type EnvSourceOptions, fromEnv, fromOverrideHeader, fromRecords, fromRegistry, fromServers, fromTokenFile } from './sources.js';
