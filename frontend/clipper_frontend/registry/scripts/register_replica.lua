-- Gives an instance its replica number: the one that it has, else the lowest free one. Returns the number.
-- ARGV: model, version, instance id, frontend id, then the fields of its hash except model_replica_id
local instance, frontend = ARGV[3], ARGV[4]
local prefix = ARGV[1] .. ',' .. ARGV[2] .. ','
local taken, number = {}, nil
for _, key in ipairs(keys_with_prefix(REPLICAS, prefix)) do
  local its_number = tonumber(string.sub(key, #prefix + 1))
  if its_number then
    taken[its_number] = true
    if is_instance(key, instance) then
      number = its_number
    end
  end
end
if not number then
  number = 0
  while taken[number] do
    number = number + 1
  end
end
local key = prefix .. integer(number)
at(REPLICAS, 'HSET', key, 'model_replica_id', integer(number), unpack(ARGV, 5))
hold(key, frontend)
return number
