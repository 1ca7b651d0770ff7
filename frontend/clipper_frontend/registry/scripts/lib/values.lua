-- The value of a key as {type, value}: a hash as field, value, field, value …; {'none'} for any other type.
local READERS = { hash = 'HGETALL', set = 'SMEMBERS', string = 'GET' }

local function read(database, key)
  local kind = at(database, 'TYPE', key).ok
  local reader = READERS[kind]
  if not reader then
    return { 'none' }
  end
  return { kind, redis.call(reader, key) }
end
