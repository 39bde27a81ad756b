export type { FeedMessage, FeedMessages, IncidentRow, ScopeRow, ScopeState, TimelineEntry, TimelineEvent } from './messages.js';
export { createOperator, type Operator } from './operator.js';
export type { OperatorOptions, OperatorRequest, OperatorResponse } from './options.js';
