import { CHANGES } from './changes.js';

/** How far a number may be ahead of the store's clock, in milliseconds; what a number counts from, and how many there are in a millisecond. */
const MOST_AHEAD_MS = 60_000;
const NUMBERS_FROM_MS = Date.UTC(2020, 0, 1);
const NUMBERS_PER_MS = 4_096;

/** ARGV: epoch, now, the greatest number in the changes, how long a session is kept, how long the log may be, the changes as JSON, how many messages are known. */
export const PUSH = `
if redis.call('HGET', META, 'epoch') ~= ARGV[1] then return '!epoch' end
local published = readCount(redis.call('HGET', META, 'seq') or '0')
if not published or published < tonumber(ARGV[7]) then return '!epoch' end
local farthest = string.format('%016.0f', (NOW + ${MOST_AHEAD_MS} - ${NUMBERS_FROM_MS} + 1) * ${NUMBERS_PER_MS} - 1)
if greater(ARGV[3], farthest) then return '!skew' end
local now, latest, idleMs, logLength = tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
${CHANGES}
local changes = cjson.decode(ARGV[6])
for _, change in ipairs(changes) do
  if isAhead(change) then return '!skew' end
end
for _, change in ipairs(changes) do apply[change.kind](change) end
if greater(latest, readRegister(redis.call('HGET', META, 'latest')) or '') then redis.call('HSET', META, 'latest', latest) end
clear(LOG, 'zset')
if #changed > 0 then
  local seq = redis.call('HINCRBY', META, 'seq', 1)
  -- Of what changed before it knows nothing, whatever became of it.
  if redis.call('EXISTS', LOG) == 0 then redis.call('HSET', META, 'floor', seq - 1) end
  for _, ref in ipairs(changed) do
    local key = keyOf(ref[1], ref[2])
    -- Not a count of its own: a record that expired and came again would be taken for an old one.
    local version = math.max(seq, (readCount(redis.call('HGET', key, 'v') or '') or 0) + 1)
    redis.call('HSET', key, 'v', whole(version))
    redis.call('ZADD', LOG, seq, ref[1] .. ':' .. ref[2])
  end
  local excess = redis.call('ZCARD', LOG) - logLength
  if excess > 0 then
    local last = redis.call('ZRANGE', LOG, excess - 1, excess - 1, 'WITHSCORES')
    redis.call('HSET', META, 'floor', last[2])
    redis.call('ZREMRANGEBYRANK', LOG, 0, excess - 1)
  end
  local standing = redis.call('HMGET', META, 'epoch', 'seq', 'latest')
  redis.call('PUBLISH', CHANNEL, cjson.encode({'m', standing[1], standing[2], standing[3], withIdentities(changed)}))
end
keep(META, 2 * idleMs)
keep(LOG, 2 * idleMs)
return answer(withIdentities(touched))`;
