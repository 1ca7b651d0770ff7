-- The version of a model that serves. It changes to the current one, once, when that is ready everywhere.

-- Query frontends that have a new version ready wait this long for the others.
local PROMOTION_WAIT_MS = 10000
-- The time of the first one is kept a little longer; without it they have waited.
local FIRST_READY_LIFETIME_MS = 60000

-- The number of live query frontends, the number of those that have a version ready, and whether any of them has it
-- by a replica of RPC version 3.
local function readiness(model, version)
  local live, ready, version_3 = 0, 0, false
  for _, key in ipairs(at(FRONTENDS, 'KEYS', 'QUERY_FRONTEND:*')) do
    live = live + 1
    local rpc_version = try(FRONTENDS, 'HGET', key, 'ready:' .. model .. ':' .. version)
    if rpc_version then
      ready = ready + 1
      version_3 = version_3 or rpc_version == '3'
    end
  end
  return live, ready, version_3
end

local function may_serve(model, version)
  local live, ready, version_3 = readiness(model, version)
  if ready == 0 then
    return false
  end
  -- A replica of RPC version 3 connects to one frontend only: the others never get it.
  if ready == live or version_3 then
    return true
  end
  local first_ready = at(METADATA, 'GET', 'FIRST_READY:' .. model .. ':' .. version)
  return not first_ready or now_ms() - first_ready > PROMOTION_WAIT_MS
end

-- Applications have the current version's input type, so a version of another type could not answer their queries.
local function same_type(model, one, other)
  local function input_type(version)
    return try(MODELS, 'HGET', model .. ':' .. version, 'input_type')
  end
  return input_type(one) == input_type(other)
end

-- Makes the current version serve if it may, and returns the version that serves (false: none).
local function promote(model)
  local current = at(METADATA, 'GET', 'CURRENT_MODEL_VERSION:' .. model)
  local serving = at(METADATA, 'GET', 'SERVING_MODEL_VERSION:' .. model)
  if not current or current == serving or not is_registered(model, current) then
    return serving
  end
  local keep = serving and is_registered(model, serving) and same_type(model, serving, current)
  if keep and not may_serve(model, current) then
    return serving
  end
  at(METADATA, 'SET', 'SERVING_MODEL_VERSION:' .. model, current)
  return current
end

-- Marks a version as ready in a frontend's record; the first live frontend to do so also records the time.
local function mark_ready(frontend_key, model, version, rpc_version)
  local _, ready = readiness(model, version)
  if ready == 0 then
    at(METADATA, 'SET', 'FIRST_READY:' .. model .. ':' .. version, integer(now_ms()), 'PX', FIRST_READY_LIFETIME_MS)
  end
  at(FRONTENDS, 'HSET', frontend_key, 'ready:' .. model .. ':' .. version, rpc_version)
end

local function mark_not_ready(frontend_key, model, version)
  at(FRONTENDS, 'HDEL', frontend_key, 'ready:' .. model .. ':' .. version)
  local _, ready = readiness(model, version)
  if ready == 0 then
    at(METADATA, 'DEL', 'FIRST_READY:' .. model .. ':' .. version)
  end
end
