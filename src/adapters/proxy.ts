export { createUnauthorizedMonitor } from './proxy/monitor.js';
export type {
  Exchange,
  MonitorErrorOrigin,
  ProxiedRequest,
  UnauthorizedAnswer,
  UnauthorizedMonitor,
  UnauthorizedMonitorOptions,
  UpstreamAnswer,
} from './proxy/options.js';
export { redirectTarget } from './proxy/redirect.js';
export type { Workload, WorkloadState } from './proxy/workload.js';
