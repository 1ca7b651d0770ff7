-- Prolongs a frontend's holds, and returns the keys of the records that are gone or another instance's.
-- ARGV: frontend id, then key, instance id, key, instance id …
local gone = {}
for i = 2, #ARGV, 2 do
  if is_instance(ARGV[i], ARGV[i + 1]) then
    hold(ARGV[i], ARGV[1])
  else
    table.insert(gone, ARGV[i])
  end
end
return gone
