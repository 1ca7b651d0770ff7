-- Adds a batch of increments, once. Returns 1, or 0 if the batch was written or cancelled before.
-- ARGV: writer, sequence, lifetime of the outcome in s, the maximum number of users of a state, then for each addition:
-- application, state name, user, bucket, its end in s since the epoch (or ''), the number of counters, counter, increment …
if not settle_batch(ARGV[1], ARGV[2], 'written', ARGV[3]) then
  return 0
end
local most_users = tonumber(ARGV[4])
local i = 5
while i <= #ARGV do
  local state, user, bucket, expires_at = state_prefix(ARGV[i], ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local last = i + 5 + 2 * ARGV[i + 5]
  local key = state .. user .. ':' .. bucket
  for field = i + 6, last, 2 do
    -- A counter at its limit of 64 bits stays there.
    redis.pcall('HINCRBY', key, ARGV[field], ARGV[field + 1])
  end
  note_bucket(state .. user, bucket, expires_at)
  if user ~= '' then
    note_user(state, user, most_users)
  end
  i = last + 1
end
return 1
