-- The databases, refusals, and functions that the other files call.
local MODELS, REPLICAS, FRONTENDS, APPLICATIONS, METADATA, LINKS = 2, 3, 4, 5, 6, 7
local SELECTION_STATE = 1

-- Runs one command in one database.
local function at(database, ...)
  redis.call('SELECT', database)
  return redis.call(...)
end

-- The same for keys that people may have edited by hand: false if the key holds another kind of value.
local function try(database, ...)
  redis.call('SELECT', database)
  local reply = redis.pcall(...)
  return not (type(reply) == 'table' and reply.err) and reply
end

local function exists(database, key)
  return at(database, 'EXISTS', key) == 1
end

-- The return value of a script that refuses, and has written nothing; the text is for the user.
local function refuse(...)
  return redis.error_reply('REFUSED ' .. string.format(...))
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Lua's own conversion would lose digits of numbers of this size.
local function integer(number)
  return string.format('%.0f', number)
end

-- The keys of a database that begin with `prefix`, which may contain any characters.
local function keys_with_prefix(database, prefix)
  local literal = string.gsub(prefix, '[%*%?%[%]\\]', '\\%0')
  return at(database, 'KEYS', literal .. '*')
end

local function is_registered(model, version)
  return try(MODELS, 'HEXISTS', model .. ':' .. version, 'valid') == 1
end

local function registered_versions(model)
  local found = {}
  for _, key in ipairs(keys_with_prefix(MODELS, model .. ':')) do
    local version = string.sub(key, #model + 2)
    if is_registered(model, version) then
      table.insert(found, version)
    end
  end
  return found
end

-- Applications without the field are older than policies for several models.
local function takes_one_model(application)
  return (at(APPLICATIONS, 'HGET', application, 'most_links') or '1') == '1'
end

-- Whether a policy has changed since the caller read it, and the refusal in that case.
local function is_other_policy(application, policy_config)
  return (at(APPLICATIONS, 'HGET', application, 'policy_config') or '') ~= policy_config
end

local function refuse_other_policy(application)
  return refuse("The policy of app '%s' was changed at the same time: nothing is done, try again", application)
end

-- The first application linked to `model` that has another input type, and that type; nil if there is none.
local function linked_application_of_other_type(model, input_type)
  for _, application in ipairs(at(LINKS, 'KEYS', '*')) do
    if try(LINKS, 'SISMEMBER', application, model) == 1 then
      local wanted = try(APPLICATIONS, 'HGET', application, 'input_type')
      if wanted and wanted ~= input_type then
        return application, wanted
      end
    end
  end
end
