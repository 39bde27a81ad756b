/** The layout of what is stored; another one would need another number. */
export const FORMAT = '1';

/** What every script begins with. Numbers that come and go are strings: Lua's own printing drops digits after the fourteenth. */
export const COMMON = `
local META = KEYS[1]
local PREFIX = string.sub(META, 1, -5)
local LOG = PREFIX .. 'log'
local CHANNEL = PREFIX .. 'changes'
local format = redis.call('HGET', META, 'format')
if format and format ~= '${FORMAT}' then return '!format' end
local clock = redis.call('TIME')
local NOW = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function whole(number) return string.format('%.0f', number) end

-- Prolongs a key's life; never shortens it, whoever has the shorter one in mind.
local function keep(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, whole(ms)) end
end

local function keyOf(kind, name) return PREFIX .. kind .. ':' .. name end

-- By bytes: the comparison of strings that Lua has follows the server's locale.
local function greater(a, b)
  for index = 1, math.min(#a, #b) do
    local x, y = string.byte(a, index), string.byte(b, index)
    if x ~= y then return x > y end
  end
  return #a > #b
end

local function readSlot(text)
  local at, dead, identity, by, captured, value = string.match(text, '^([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|(.*)$')
  return {at = at, dead = dead, identity = identity, by = by, captured = captured, value = value}
end

-- As the carrier reads it: kind, name, and the fields with their values by turns.
local function stored(kind, name)
  local fields = redis.call('HGETALL', keyOf(kind, name))
  if #fields == 0 then return nil end
  return {kind, name, fields}
end

-- The records that are referred to, the identities first, with those that slots and pins point at.
local function withIdentities(refs)
  local records, others, seen = {}, {}, {}
  local function add(name)
    if seen[name] then return end
    seen[name] = true
    records[#records + 1] = stored('i', name)
  end
  for _, ref in ipairs(refs) do
    if ref[1] == 'i' then
      add(ref[2])
    else
      others[#others + 1] = stored(ref[1], ref[2])
    end
  end
  for _, record in ipairs(others) do
    local fields = record[3]
    for index = 1, #fields, 2 do
      local start = string.sub(fields[index], 1, 2)
      if start == 'p.' or start == 'g.' then add(readSlot(fields[index + 1]).identity) end
      local pinned = start == 'x.' and string.match(fields[index + 1], '^%d+0|(%x+)|')
      if pinned then add(pinned) end
    end
  end
  for _, record in ipairs(others) do records[#records + 1] = record end
  return records
end

local function answer(records)
  local standing = redis.call('HMGET', META, 'epoch', 'seq', 'latest')
  return cjson.encode({standing[1] or '', standing[2] or '0', whole(NOW), standing[3] or '0000000000000000', records})
end`;
