-- Replaces a query frontend's record.
-- ARGV: id, the number of plain fields and values, these, then model, version, RPC version of each ready version
local key, plain = 'QUERY_FRONTEND:' .. ARGV[1], tonumber(ARGV[2])
at(FRONTENDS, 'DEL', key)
at(FRONTENDS, 'HSET', key, unpack(ARGV, 3, 2 + plain))
at(FRONTENDS, 'PEXPIRE', key, FRONTEND_LIFETIME_MS)
-- The record holds its numbers now.
at(FRONTENDS, 'DEL', 'QUERY_FRONTEND_CLAIM:' .. ARGV[1])
for i = 3 + plain, #ARGV, 3 do
  mark_ready(key, ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
for i = 3 + plain, #ARGV, 3 do
  promote(ARGV[i])
end
