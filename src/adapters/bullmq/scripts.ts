import { createHash } from 'node:crypto';

/** A command of several steps that Redis runs as one. */
export interface Script {
  /** Told apart by what it does: two copies of the package may share a client. */
  readonly name: string;
  readonly lua: string;
}

/** How long strikes are remembered, in milliseconds. */
const STRIKES_MS = 5 * 60_000;

// A record is `since|at|strikes|scope`: when the job was first parked, when it was last sent back by a rejection although its scope had been released,
// how often in a row, and the scope as JSON. KEYS: the jobs that are parked, and those that were and are not finished.

/**
 * Parks a job, unless there are too many or it has been so for too long. ARGV: id, now, most, longest, 1 for a strike, scope, 1 for a job that
 * is begun for the first time: what is recorded under its id is of an earlier one, which was removed.
 */
export const PARK = script(
  'park',
  `
local id, now = ARGV[1], tonumber(ARGV[2])
if ARGV[7] == '1' then
  redis.call('HDEL', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
end
local parked = redis.call('HGET', KEYS[1], id)
local since, at, strikes = string.match(parked or redis.call('HGET', KEYS[2], id) or '', '^(%d+)|(%d+)|(%d+)|')
since, at, strikes = math.min(tonumber(since) or now, now), tonumber(at) or 0, tonumber(strikes) or 0
local why = 'parked'
if now - since >= tonumber(ARGV[4]) then
  why = 'expired'
elseif not parked and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then
  why = 'full'
end
if why ~= 'parked' then
  redis.call('HDEL', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
  return {why, string.format('%.0f', since), ''}
end
if ARGV[5] == '1' then
  if now - at > ${STRIKES_MS} then strikes = 0 end
  at, strikes = now, strikes + 1
end
local record = string.format('%.0f|%.0f|%.0f|', since, at, strikes) .. ARGV[6]
redis.call('HSET', KEYS[1], id, record)
redis.call('HDEL', KEYS[2], id)
return {why, string.format('%.0f', since), record}`,
);

/** A job is in the delayed set by now; somebody may have released it too early. ARGV: id, record. */
export const CONFIRM = script(
  'confirm',
  `
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])`,
);

/** Takes parked jobs, each of which one taker only gets. ARGV: ids. Gives ids and records by turns. */
export const TAKE = script(
  'take',
  `
local taken = {}
for _, id in ipairs(ARGV) do
  local record = redis.call('HGET', KEYS[1], id)
  if record then
    redis.call('HDEL', KEYS[1], id)
    redis.call('HSET', KEYS[2], id, record)
    taken[#taken + 1] = id
    taken[#taken + 1] = record
  end
end
return taken`,
);

/** A job has ended. ARGV: id. */
export const FORGET = script(
  'forget',
  `
return redis.call('HDEL', KEYS[1], ARGV[1]) + redis.call('HDEL', KEYS[2], ARGV[1])`,
);

/**
 * Some of the records, without those of jobs that have ended or are gone: these are removed. ARGV: cursor, how many, what the key of a job begins with, 1 or 2 for
 * which hash. Gives the next cursor, and ids and records by turns.
 */
export const PAGE = script(
  'page',
  `
local key = KEYS[tonumber(ARGV[4])]
local page = redis.call('HSCAN', key, ARGV[1], 'COUNT', ARGV[2])
local found = {page[1]}
for i = 1, #page[2], 2 do
  local id, job = page[2][i], ARGV[3] .. page[2][i]
  if redis.call('EXISTS', job) == 0 or redis.call('HEXISTS', job, 'finishedOn') == 1 then
    redis.call('HDEL', key, id)
  else
    found[#found + 1] = id
    found[#found + 1] = page[2][i + 1]
  end
end
return found`,
);

function script(step: string, lua: string): Script {
  return { name: `latchkey_${step}_${createHash('sha256').update(lua).digest('hex').slice(0, 8)}`, lua };
}
