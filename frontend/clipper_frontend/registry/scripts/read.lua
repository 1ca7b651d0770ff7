-- Returns the values of some keys.  ARGV: database, key, database, key …
local values = {}
for i = 1, #ARGV, 2 do
  table.insert(values, read(ARGV[i], ARGV[i + 1]))
end
return values
