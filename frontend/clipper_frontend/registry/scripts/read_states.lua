-- Returns for each state its buckets, as {bucket, {counter, value …}}.  ARGV: application, state name, user, …
redis.call('SELECT', SELECTION_STATE)
local states = {}
for i = 1, #ARGV, 3 do
  local prefix = state_prefix(ARGV[i], ARGV[i + 1]) .. ARGV[i + 2] .. ':'
  local buckets = {}
  for _, bucket in ipairs(redis.call('SMEMBERS', prefix .. 'buckets')) do
    local counters = redis.call('HGETALL', prefix .. bucket)
    if #counters > 0 then
      table.insert(buckets, { bucket, counters })
    else
      redis.call('SREM', prefix .. 'buckets', bucket)
    end
  end
  table.insert(states, buckets)
end
return states
