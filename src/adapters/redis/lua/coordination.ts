/** ARGV: lock, owner, milliseconds. Answers for how many more another has it. */
export const LOCK = `
local key = keyOf('l', ARGV[1])
local owner = redis.call('GET', key)
if owner and owner ~= ARGV[2] then return whole(math.max(1, redis.call('PTTL', key))) end
redis.call('SET', key, ARGV[2], 'PX', ARGV[3])
return '0'`;

/** ARGV: lock, owner, note. */
export const UNLOCK = `
local key = keyOf('l', ARGV[1])
if redis.call('GET', key) ~= ARGV[2] then return '0' end
redis.call('DEL', key)
redis.call('PUBLISH', CHANNEL, cjson.encode({'r', ARGV[1], ARGV[3]}))
return '1'`;

/** The members, and until when each counts unless it says so again; the tag beside them. */
const GROUP = `
local members, tagKey = keyOf('m', ARGV[1]), nameOf('m', ARGV[1] .. ':tag')
clear(tagKey, 'string')
redis.call('ZREMRANGEBYSCORE', members, '-inf', whole(NOW))
`;

/** ARGV: group, member, tag, milliseconds. */
export const ENTER = `${GROUP}
local first = redis.call('ZCARD', members) == 0
local tag = not first and redis.call('GET', tagKey)
if not tag then
  tag = ARGV[3]
  redis.call('SET', tagKey, tag)
end
redis.call('ZADD', members, whole(NOW + ARGV[4]), ARGV[2])
keep(members, tonumber(ARGV[4]))
redis.call('PEXPIRE', tagKey, whole(redis.call('PTTL', members)))
return cjson.encode({first and '1' or '0', tag})`;

/** ARGV: group, member. */
export const LEAVE = `${GROUP}
local tag = redis.call('ZCARD', members) > 0 and redis.call('GET', tagKey)
redis.call('ZREM', members, ARGV[2])
local last = redis.call('ZCARD', members) == 0
if last then redis.call('DEL', tagKey) end
return cjson.encode({last and '1' or '0', tag or nil})`;
