-- The state of selection policies, in the database SELECTION_STATE, which callers must have selected.

local function state_prefix(application, state_name)
  return 'selection:' .. application .. ':' .. state_name .. ':'
end

-- Sets the end of a bucket, and keeps the set of buckets at least as long as each of them.
local function note_bucket(state_of_user, bucket, expires_at)
  local key, buckets = state_of_user .. ':' .. bucket, state_of_user .. ':buckets'
  local left = redis.call('TTL', buckets)
  redis.call('SADD', buckets, bucket)
  if expires_at == '' then
    redis.call('PERSIST', key)
    redis.call('PERSIST', buckets)
  else
    redis.call('EXPIREAT', key, expires_at)
    -- -2: there was no set; -1: it never ends.
    if left == -2 or (left >= 0 and now_ms() / 1000 + left < tonumber(expires_at)) then
      redis.call('EXPIREAT', buckets, expires_at)
    end
  end
end

local function forget_user(state, user)
  local prefix = state .. user .. ':'
  for _, bucket in ipairs(redis.call('SMEMBERS', prefix .. 'buckets')) do
    redis.call('DEL', prefix .. bucket)
  end
  redis.call('DEL', prefix .. 'buckets')
end

-- Records that a user gave feedback now, and forgets the least recent users above `most`.
local function note_user(state, user, most)
  local users = state .. ':users'
  redis.call('ZADD', users, integer(now_ms()), user)
  local above = redis.call('ZCARD', users) - most
  if above > 0 then
    local oldest = redis.call('ZPOPMIN', users, above)
    for i = 1, #oldest, 2 do
      forget_user(state, oldest[i])
    end
  end
end

-- A writer numbers its batches, and settles each before the next one: so the outcome of its last one is all that
-- need be kept. Its lifetime begins anew with each batch.
local function batch_key(writer)
  return 'selection_batch:' .. writer
end

-- Settles a batch as written or cancelled, and returns whether that was not settled before.
local function settle_batch(writer, sequence, outcome, lifetime)
  local last = at(SELECTION_STATE, 'GET', batch_key(writer))
  if last and tonumber(sequence) <= tonumber(string.match(last, '^%d+')) then
    return false
  end
  at(SELECTION_STATE, 'SET', batch_key(writer), sequence .. ' ' .. outcome, 'EX', lifetime)
  return true
end

local function was_written(writer, sequence)
  return at(SELECTION_STATE, 'GET', batch_key(writer)) == sequence .. ' written'
end
