-- Returns the next cursor, and {database, key, value} of about `count` keys.  ARGV: database, cursor, count
local found = at(ARGV[1], 'SCAN', ARGV[2], 'COUNT', ARGV[3])
local entries = {}
for _, key in ipairs(found[2]) do
  table.insert(entries, { tonumber(ARGV[1]), key, read(ARGV[1], key) })
end
return { found[1], entries }
