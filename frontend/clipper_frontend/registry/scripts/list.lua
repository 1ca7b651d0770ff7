-- Returns {database, key, value} for every key of some databases.  ARGV: database, database …
local entries = {}
for _, database in ipairs(ARGV) do
  for _, key in ipairs(at(database, 'KEYS', '*')) do
    table.insert(entries, { tonumber(database), key, read(database, key) })
  end
end
return entries
