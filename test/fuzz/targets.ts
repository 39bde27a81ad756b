import type { Target } from './target.js';
import { auditTarget } from './targets/audit.js';
import { cookiesTarget } from './targets/cookies.js';
import { credentialsTarget } from './targets/credentials.js';
import { headersTarget } from './targets/headers.js';
import { operatorTarget } from './targets/operator.js';
import { optionsTarget } from './targets/options.js';
import { outcomesTarget } from './targets/outcomes.js';
import { providersTarget } from './targets/providers.js';
import { redactionTarget } from './targets/redaction.js';
import { scopesTarget } from './targets/scopes.js';
import { sentryTarget } from './targets/sentry.js';
import { signalsTarget } from './targets/signals.js';
import { storeTarget } from './targets/store.js';
import { timesTarget } from './targets/times.js';
import { urlsTarget } from './targets/urls.js';
import { wireTarget } from './targets/wire.js';

export const TARGETS: readonly Target[] = [
  headersTarget,
  credentialsTarget,
  scopesTarget,
  outcomesTarget,
  providersTarget,
  timesTarget,
  redactionTarget,
  sentryTarget,
  wireTarget,
  storeTarget,
  auditTarget,
  operatorTarget,
  cookiesTarget,
  urlsTarget,
  signalsTarget,
  optionsTarget,
];
