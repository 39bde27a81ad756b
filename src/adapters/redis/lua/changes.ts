import { MOST_GENERATIONS } from './common.js';

/** A session or an identity that a client could fill at will must not fill the store; as many as a process remembers. */
const MOST_PROVIDERS = 64;
const MOST_SCOPES = 1_100;
const MOST_TENANTS = 64;

/**
 * What each kind of change does. `changed`: the records whose new state is published; `touched`: those that are answered. Slots are decided as
 * the ledger of a single process does it; a slot of a session counts only if its tenant was not evicted since.
 */
export const CHANGES = `
local changed, touched, noted = {}, {}, {}
local function note(list, kind, name)
  local id = kind .. ':' .. name
  noted[list] = noted[list] or {}
  if noted[list][id] then return end
  noted[list][id] = true
  list[#list + 1] = {kind, name}
end

local function touch(kind, name, ms)
  note(touched, kind, name)
  keep(keyOf(kind, name), ms)
end

local function set(kind, name, field, value)
  redis.call('HSET', keyOf(kind, name), field, value)
  note(changed, kind, name)
end

local function remove(kind, name, field)
  redis.call('HDEL', keyOf(kind, name), field)
  note(changed, kind, name)
end

local function getSlot(kind, name, field) return readSlot(redis.call('HGET', keyOf(kind, name), field) or nil) end

local function getRegister(kind, name, field) return readRegister(redis.call('HGET', keyOf(kind, name), field)) end

local function raise(kind, name, field, value)
  local present = getRegister(kind, name, field)
  if not present or greater(value, present) then set(kind, name, field, value) end
end

-- Fields that begin so, as pairs of name and value.
local function fieldsOf(kind, name, start)
  local all, found = redis.call('HGETALL', keyOf(kind, name)), {}
  for index = 1, #all, 2 do
    if string.sub(all[index], 1, #start) == start then found[#found + 1] = {all[index], all[index + 1]} end
  end
  return found
end

local function slotsOf(kind, name, start)
  local slots = {}
  for _, entry in ipairs(fieldsOf(kind, name, start)) do
    local slot = readSlot(entry[2])
    if slot then slots[#slots + 1] = {entry[1], slot} end
  end
  return slots
end

local function precedes(a, b, x, y)
  if a ~= b then return greater(b, a) end
  return greater(y, x)
end

local function expiryOf(hint)
  if not hint then return nil end
  return tonumber(string.match(hint, '^[^|]*|(%d+%.?%d*)u?$') or '')
end

-- Rejected everywhere, or past an expiry that was not shown to be wrong.
local function isDead(identity)
  local fields = redis.call('HMGET', keyOf('i', identity), 'r', 'f', 'h', 'x')
  local ruling, forgiven = readRegister(fields[1]), readRegister(fields[2])
  if ruling and string.sub(ruling, 17, 17) == '2' and not (forgiven and greater(forgiven, string.sub(ruling, 1, 16))) then return true end
  local expires = expiryOf(fields[3])
  return expires ~= nil and expires <= now and expires ~= expiryOf(fields[4])
end

-- Whether the later one has come of an identity for this tenant. One that an issuer gave again has come of nothing in between.
local function isSucceededBy(identity, later, tenant)
  local isLater, at, current = false, '', identity
  for _ = 1, ${MOST_GENERATIONS} do
    local text = readRegister(redis.call('HGET', keyOf('i', current), 'n.' .. tenant))
    local number, name = string.match(text or '', '^(%d+)|(%x+)|')
    if not name or #number ~= 16 or #name ~= 32 or greater(at, number) then break end
    at, current = number, name
    if current == identity then
      isLater = false
    elseif current == later then
      isLater = true
    end
  end
  return isLater
end

local function holdersOf(tenant, identity) return keyOf('h', tenant .. ':' .. identity) end

local function hold(tenant, identity, session)
  local key = holdersOf(tenant, identity)
  redis.call('ZADD', key, whole(now + idleMs), session)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now - idleMs))
  keep(key, 2 * idleMs)
end

local function unhold(tenant, identity, session) redis.call('ZREM', holdersOf(tenant, identity), session) end

-- Whether anybody's own slot points at it. Who turns out not to hold it any more is struck off, so that this is found out once.
local function isHeld(tenant, provider, identity, evicted)
  local key = holdersOf(tenant, identity)
  while true do
    local session = redis.call('ZREVRANGEBYSCORE', key, '+inf', '(' .. whole(now), 'LIMIT', 0, 1)[1]
    if not session then return false end
    local slot = getSlot('s', session, 'p.' .. provider)
    if slot and slot.identity == identity and not greater(evicted, slot.at) then return true end
    redis.call('ZREM', key, session)
  end
end

-- Whether who presented something last was evicted since, perhaps to come back with something else.
local function isGone(session, at, evicted)
  if greater(getRegister('s', session, 'e') or '', at) then return true end
  for _, entry in ipairs(slotsOf('s', session, 'p.')) do
    if not greater(evicted, entry[2].at) then return false end
  end
  return true
end

-- A session's slot goes, and the global one too if nobody else who is still there presented what it holds.
local function drop(tenant, session, field, slot)
  remove('s', session, field)
  unhold(tenant, slot.identity, session)
  local provider = string.sub(field, 3)
  local global, evicted = getSlot('t', tenant, 'g.' .. provider), getRegister('t', tenant, 'e') or ''
  if not global then return end
  if global.by ~= session and not isGone(global.by, global.at, evicted) then return end
  if not isHeld(tenant, provider, global.identity, evicted) then remove('t', tenant, 'g.' .. provider) end
end

local function displaces(at, dead, slot)
  local presentDead = isDead(slot.identity)
  if dead then return presentDead and greater(at, slot.at) end
  return greater(at, slot.at) or (slot.dead == '1' and presentDead)
end

-- Says whether the slot points at another identity now.
local function place(kind, name, field, change, value)
  local at, dead = change.at, isDead(change.identity)
  local slot = getSlot(kind, name, field)
  if change.instead and not (slot and slot.identity == change.instead and slot.identity ~= change.identity) then return false end
  local isSuccessor = change.instead or slot and isSucceededBy(slot.identity, change.identity, change.tenant)
  local function write(slotAt, slotDead, captured)
    local by = change.instead and slot.by or change.session
    redis.call('HSET', keyOf(kind, name), field, table.concat({slotAt, slotDead, change.identity, by, captured, value}, '|'))
  end
  if slot and slot.identity == change.identity then
    -- Presented again while it is dead it earns no newer place: a live one that arrived in between may still be committed.
    local newer = not dead and greater(at, slot.at)
    local captured = greater(change.captured, slot.captured) and change.captured or slot.captured
    write(newer and at or slot.at, newer and '0' or slot.dead, captured)
    -- That it was presented again by the same session is not worth a message.
    if newer or slot.by ~= change.session then note(changed, kind, name) end
    return false
  end
  if slot and not isDead(slot.identity) then
    -- A client that does not know of a refresh goes on presenting what was refreshed.
    if isSuccessor and dead then return false end
    if not isSuccessor and isSucceededBy(change.identity, slot.identity, change.tenant) then return false end
  end
  if slot and not isSuccessor and not displaces(at, dead, slot) then return false end
  if isSuccessor then
    if greater(slot.at, at) then at = slot.at end
    write(at, dead and '1' or '0', greater(slot.captured, change.captured) and slot.captured or change.captured)
  else
    write(at, dead and '1' or '0', change.captured)
  end
  note(changed, kind, name)
  return true
end

-- One provider too many: the one that was presented longest ago goes.
local function limitProviders(tenant, session, added)
  local slots, oldest = slotsOf('s', session, 'p.'), nil
  if #slots <= ${MOST_PROVIDERS} then return end
  for _, entry in ipairs(slots) do
    if entry[1] ~= added and (not oldest or precedes(entry[2].at, oldest[2].at, entry[1], oldest[1])) then oldest = entry end
  end
  drop(tenant, session, oldest[1], oldest[2])
end

-- Of the fields that begin so, those that were written longest ago go.
local function limitFields(identity, start, most)
  if redis.call('HLEN', keyOf('i', identity)) <= most then return end
  local fields = fieldsOf('i', identity, start)
  for _, entry in ipairs(fields) do entry[2] = readRegister(entry[2]) or '' end
  table.sort(fields, function(a, b) return precedes(a[2], b[2], a[1], b[1]) end)
  for index = 1, #fields - most do remove('i', identity, fields[index][1]) end
end

local function placeBoth(change, evicted)
  local tenant, session, field, lent = change.tenant, change.session, 'p.' .. change.provider, 'g.' .. change.provider
  for _, entry in ipairs(slotsOf('s', session, 'p.')) do
    if greater(evicted, entry[2].at) then
      remove('s', session, entry[1])
      unhold(tenant, entry[2].identity, session)
    end
  end
  local before = getSlot('s', session, field)
  if place('s', session, field, change, change.own) then
    if before then
      unhold(tenant, before.identity, session)
    else
      limitProviders(tenant, session, field)
    end
  end
  local empty = not getSlot('t', tenant, lent)
  if place('t', tenant, lent, change, change.lent) and empty then
    -- Sessions that expire take nothing with them: what they lent goes when there is something new to lend.
    for _, entry in ipairs(slotsOf('t', tenant, 'g.')) do
      if entry[1] ~= lent and tonumber(entry[2].captured) + idleMs <= now then remove('t', tenant, entry[1]) end
    end
  end
  for _, entry in ipairs(slotsOf('s', session, 'p.')) do
    hold(tenant, entry[2].identity, session)
    keep(keyOf('i', entry[2].identity), 2 * idleMs)
  end
  for _, entry in ipairs(slotsOf('t', tenant, 'g.')) do keep(keyOf('i', entry[2].identity), 2 * idleMs) end
end

-- Numbered by a clock that is too far ahead.
local function isAhead(change)
  if change.at and greater(change.at, farthest) then return true end
  if change.value and greater(string.sub(change.value, 1, 16), farthest) then return true end
  for _, value in pairs(change.fields or {}) do
    if greater(string.sub(value, 1, 16), farthest) then return true end
  end
  return false
end

local apply = {}

function apply.learn(change)
  for field, value in pairs(change.fields) do raise('i', change.identity, field, value) end
  limitFields(change.identity, 's.', ${MOST_SCOPES})
  limitFields(change.identity, 'n.', ${MOST_TENANTS})
  limitFields(change.identity, 'u.', ${MOST_TENANTS})
  limitFields(change.identity, 'w.', ${MOST_TENANTS})
  touch('i', change.identity, 2 * idleMs)
end

function apply.pin(change)
  raise('t', change.tenant, change.field, change.value)
  touch('t', change.tenant, 2 * idleMs)
end

function apply.present(change)
  local evicted, left = getRegister('t', change.tenant, 'e') or '', getRegister('s', change.session, 'e') or ''
  if change.instead or not greater(evicted, change.at) and not greater(left, change.at) then placeBoth(change, evicted) end
  -- Whoever presents it may be the last to hear that it is dead.
  touch('i', change.identity, 2 * idleMs)
  touch('s', change.session, idleMs)
  touch('t', change.tenant, 2 * idleMs)
end

function apply.evict(change)
  for _, entry in ipairs(slotsOf('s', change.session, 'p.')) do
    if greater(change.at, entry[2].at) then drop(change.tenant, change.session, entry[1], entry[2]) end
  end
  raise('s', change.session, 'e', change.at)
  touch('s', change.session, idleMs)
  touch('t', change.tenant, 2 * idleMs)
end

apply['evict-tenant'] = function(change)
  for _, entry in ipairs(slotsOf('t', change.tenant, 'g.')) do
    if greater(change.at, entry[2].at) then remove('t', change.tenant, entry[1]) end
  end
  raise('t', change.tenant, 'e', change.at)
  touch('t', change.tenant, 2 * idleMs)
end
`;
