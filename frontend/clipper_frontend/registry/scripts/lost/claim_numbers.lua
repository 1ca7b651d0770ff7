-- Keeps the numbers of a query frontend that follows a lost registry from being given to others. Returns 1 if somebody
-- has asked to put that registry back.  ARGV: cluster name, frontend id, its numbers
local owner = at(METADATA, 'GET', 'CLUSTER_NAME')
if owner and owner ~= ARGV[1] then
  return 0
end
at(FRONTENDS, 'SET', 'QUERY_FRONTEND_CLAIM:' .. ARGV[2], ARGV[3], 'PX', FRONTEND_LIFETIME_MS)
return at(METADATA, 'GET', 'RESTORE_REGISTRY') == 'wanted' and 1 or 0
