-- Removes a query frontend's record, and promotes the versions that waited for it alone.  ARGV: id
local prefix = 'CURRENT_MODEL_VERSION:'
if at(FRONTENDS, 'DEL', 'QUERY_FRONTEND:' .. ARGV[1]) == 1 then
  for _, key in ipairs(at(METADATA, 'KEYS', prefix .. '*')) do
    promote(string.sub(key, #prefix + 1))
  end
end
