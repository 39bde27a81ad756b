/** The layout of what is stored; another one would need another number. */
export const FORMAT = '1';

/** After so many refreshes an identity is far behind. */
export const MOST_GENERATIONS = 16;

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

local function nameOf(kind, name) return PREFIX .. kind .. ':' .. name end

-- What is under the key and cannot be ours, being of another type, goes: it would end a script half-way.
local TYPES, own = {i = 'hash', s = 'hash', t = 'hash', h = 'zset', l = 'string', m = 'zset'}, {}
local function clear(key, type)
  if own[key] then return end
  own[key] = true
  local present = redis.call('TYPE', key).ok
  if present ~= type and present ~= 'none' then redis.call('DEL', key) end
end

local function keyOf(kind, name)
  local key = nameOf(kind, name)
  clear(key, TYPES[kind])
  return key
end

-- By bytes: the comparison of strings that Lua has follows the server's locale.
local function greater(a, b)
  for index = 1, math.min(#a, #b) do
    local x, y = string.byte(a, index), string.byte(b, index)
    if x ~= y then return x > y end
  end
  return #a > #b
end

-- Nil for what counts nothing.
local function readCount(text)
  return #text <= 15 and string.match(text, '^%d+$') and tonumber(text) or nil
end

-- Nil for what does not begin with a number of ours: it counts as absent.
local function readRegister(text)
  return text and string.match(text, '^${'%d'.repeat(16)}') and text or nil
end

-- Nil for what is no slot.
local function readSlot(text)
  local at, dead, identity, by, captured, value = string.match(text or '', '^(%d+)|([01])|(%x+)|(%x+)|(%d+)|(.*)$')
  if not at or #at ~= 16 or #identity ~= 32 or #by ~= 32 or #captured ~= 13 then return nil end
  return {at = at, dead = dead, identity = identity, by = by, captured = captured, value = value}
end

-- As the carrier reads it: kind, name, and the fields with their values by turns.
local function stored(kind, name)
  -- An error, where it is no hash, is as empty.
  local fields = redis.pcall('HGETALL', nameOf(kind, name))
  if #fields == 0 then return nil end
  return {kind, name, fields}
end

-- The records that are referred to, the identities first, with those that slots and pins point at, and what has come of them.
local function withIdentities(refs)
  local records, others, seen = {}, {}, {}
  local function add(name, generation)
    if seen[name] then return end
    seen[name] = true
    local record = stored('i', name)
    if not record then return end
    records[#records + 1] = record
    if generation == ${MOST_GENERATIONS} then return end
    local fields = record[3]
    for index = 1, #fields, 2 do
      local successor = string.sub(fields[index], 1, 2) == 'n.' and string.match(fields[index + 1], '^%d+|(%x+)|')
      if successor then add(successor, generation + 1) end
    end
  end
  for _, ref in ipairs(refs) do
    if ref[1] == 'i' then
      add(ref[2], 0)
    else
      others[#others + 1] = stored(ref[1], ref[2])
    end
  end
  for _, record in ipairs(others) do
    local fields = record[3]
    for index = 1, #fields, 2 do
      local start = string.sub(fields[index], 1, 2)
      local slot = (start == 'p.' or start == 'g.') and readSlot(fields[index + 1])
      if slot then add(slot.identity, 0) end
      local pinned = start == 'x.' and string.match(fields[index + 1], '^%d+0|(%x+)|')
      if pinned then add(pinned, 0) end
    end
  end
  for _, record in ipairs(others) do records[#records + 1] = record end
  return records
end

local function answer(records)
  local standing = redis.call('HMGET', META, 'epoch', 'seq', 'latest')
  return cjson.encode({standing[1] or '', standing[2] or '0', whole(NOW), readRegister(standing[3]) or '${'0'.repeat(16)}', records})
end`;
