-- Records whether a query frontend has a version ready, and promotes the model. Returns 0 if the record is gone.
-- ARGV: id, model, version, RPC version (empty: not ready)
local key, model, version, rpc_version = 'QUERY_FRONTEND:' .. ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if not exists(FRONTENDS, key) then
  return 0
end
if rpc_version == '' then
  mark_not_ready(key, model, version)
else
  mark_ready(key, model, version, rpc_version)
end
promote(model)
return 1
