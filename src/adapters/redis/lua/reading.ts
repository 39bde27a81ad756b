import { FORMAT } from './common.js';

/** ARGV: an epoch, should there be none, or one that is not what it was; how long things are kept; the epoch that is known, and how far it had got. */
export const HELLO = `
if redis.call('HSETNX', META, 'epoch', ARGV[1]) == 1 then
  redis.call('HSET', META, 'format', '${FORMAT}')
  redis.call('DEL', LOG)
else
  local seq = readCount(redis.call('HGET', META, 'seq') or '0')
  if not seq then redis.call('HDEL', META, 'seq', 'floor') end
  if not seq or redis.call('HGET', META, 'epoch') == ARGV[3] and seq < tonumber(ARGV[4]) then redis.call('HSET', META, 'epoch', ARGV[1]) end
end
-- Asked every few seconds by everybody: not each time a write.
if redis.call('PTTL', META) < 1.5 * ARGV[2] then
  keep(META, 2 * ARGV[2])
  keep(LOG, 2 * ARGV[2])
end
return answer({})`;

/** ARGV: kinds and names by turns. */
export const LOAD = `
local refs = {}
for index = 1, #ARGV, 2 do refs[#refs + 1] = {ARGV[index], ARGV[index + 1]} end
return answer(withIdentities(refs))`;

/** ARGV: the message that was heard last. */
export const CHANGED_SINCE = `
local heard = tonumber(ARGV[1])
local standing = redis.call('HMGET', META, 'seq', 'floor')
local seq, floor = readCount(standing[1] or '0'), readCount(standing[2] or '0')
if not seq or not floor or heard < floor or heard > seq then return '!unknown' end
if heard == seq then return '[]' end
-- The log is a key of its own, which a server short of memory may have dropped.
local newest = redis.pcall('ZREVRANGE', LOG, 0, 0, 'WITHSCORES')
if tonumber(newest[2] or '-1') ~= seq then return '!unknown' end
return cjson.encode(redis.call('ZRANGEBYSCORE', LOG, '(' .. ARGV[1], '+inf'))`;
