-- Puts a lost registry back: keys that this one has not yet. Returns 1, or 0 if nobody wants it (any more).
-- ARGV: cluster name, frontend id, the number of epochs, these, then for each key: database, key, its type, the number of
-- its values, these (a hash's field, value, field, value …)
if at(METADATA, 'GET', 'RESTORE_REGISTRY') ~= 'wanted' then
  return 0
end
local owner = at(METADATA, 'GET', 'CLUSTER_NAME')
if owner and owner ~= ARGV[1] then
  return 0
end
local WRITERS = { hash = 'HSET', set = 'SADD', string = 'SET' }
local i = 4 + tonumber(ARGV[3])
while i <= #ARGV do
  local database, key, kind, last = ARGV[i], ARGV[i + 1], ARGV[i + 2], i + 3 + tonumber(ARGV[i + 3])
  if not exists(database, key) then
    -- A few thousand values are more than Lua unpacks at once.
    for first = i + 4, last, 100 do
      at(database, WRITERS[kind], key, unpack(ARGV, first, math.min(first + 99, last)))
    end
  end
  i = last + 1
end
at(METADATA, 'SETNX', 'CLUSTER_NAME', ARGV[1])
for epoch = 4, 3 + tonumber(ARGV[3]) do
  at(METADATA, 'SADD', 'REGISTRY_EPOCHS', ARGV[epoch])
end
at(METADATA, 'SET', 'RESTORE_REGISTRY', 'done ' .. ARGV[2], 'PX', RESTORE_LIFETIME_MS)
return 1
