-- Sends a token to the query frontends, behind the events of all earlier writes. Returns the number of subscribers
-- that it went to, then the ids of the live query frontends.  ARGV: channel, token
local found = { redis.call('PUBLISH', ARGV[1], ARGV[2]) }
local prefix = 'QUERY_FRONTEND:'
for _, key in ipairs(at(FRONTENDS, 'KEYS', prefix .. '*')) do
  table.insert(found, string.sub(key, #prefix + 1))
end
return found
