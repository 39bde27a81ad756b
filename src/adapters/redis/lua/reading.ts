import { FORMAT } from './common.js';

/** ARGV: an epoch, should there be none, or one that is not what it was; how long things are kept; the epoch that is known, and how far it had got. */
export const HELLO = `
if redis.call('HSETNX', META, 'epoch', ARGV[1]) == 1 then
  redis.call('HSET', META, 'format', '${FORMAT}')
  redis.call('DEL', LOG)
elseif redis.call('HGET', META, 'epoch') == ARGV[3] and tonumber(redis.call('HGET', META, 'seq') or '0') < tonumber(ARGV[4]) then
  redis.call('HSET', META, 'epoch', ARGV[1])
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
local seq = tonumber(standing[1] or '0')
if heard < tonumber(standing[2] or '0') or heard > seq then return '!unknown' end
if heard == seq then return '[]' end
-- The log is a key of its own, which a server short of memory may have dropped.
local newest = redis.call('ZREVRANGE', LOG, 0, 0, 'WITHSCORES')
if tonumber(newest[2] or '-1') ~= seq then return '!unknown' end
return cjson.encode(redis.call('ZRANGEBYSCORE', LOG, '(' .. ARGV[1], '+inf'))`;
