-- The holders of a replica. Its record has a field holder:<frontend id> = the end of that hold in ms since the epoch.

local REPLICA_LIFETIME_MS = 30000

-- Removes the holds that have ended from a replica's record, and returns the number of those left.
local function prune_holders(key)
  local now, left = now_ms(), 0
  local fields = at(REPLICAS, 'HGETALL', key)
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 7) == 'holder:' then
      if (tonumber(fields[i + 1]) or 0) > now then
        left = left + 1
      else
        at(REPLICAS, 'HDEL', key, fields[i])
      end
    end
  end
  return left
end

local function hold(key, frontend)
  prune_holders(key)
  at(REPLICAS, 'HSET', key, 'holder:' .. frontend, integer(now_ms() + REPLICA_LIFETIME_MS))
  at(REPLICAS, 'PEXPIRE', key, REPLICA_LIFETIME_MS)
end

local function is_instance(key, instance)
  return try(REPLICAS, 'HGET', key, 'instance_id') == instance
end
