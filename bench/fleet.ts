import { randomUUID } from 'node:crypto';
import { type FleetProcess, endFleet, openFleet, startProcesses } from '../test/fleet/processes/driver.js';
import { percentile, type StormFigures, storm } from '../test/fleet/processes/storm.js';
import { type StormUpstream, startStormUpstream } from '../test/fleet/processes/storm-upstream.js';
import { until } from '../test/fleet/processes/until.js';
import { type RedisServer, startRedis } from '../test/support/redis-server.js';
import { type SentryEndpoint, sentryEndpoint } from '../test/support/sentry-endpoint.js';
