-- Ends a frontend's hold, and deletes the record if no frontend holds it any more.
-- ARGV: frontend id, key, instance id
local frontend, key, instance = ARGV[1], ARGV[2], ARGV[3]
if is_instance(key, instance) then
  at(REPLICAS, 'HDEL', key, 'holder:' .. frontend)
  if prune_holders(key) == 0 then
    at(REPLICAS, 'DEL', key)
  end
end
