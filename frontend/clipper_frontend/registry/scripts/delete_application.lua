-- Deletes an application with its links and its selection state.  ARGV: name
local name = ARGV[1]
if not exists(APPLICATIONS, name) then
  return refuse("Application '%s' does not exist", name)
end
at(APPLICATIONS, 'DEL', name)
at(LINKS, 'DEL', name)
at(SELECTION_STATE, 'DEL', name .. ':0:0')
for _, key in ipairs(keys_with_prefix(SELECTION_STATE, 'selection:' .. name .. ':')) do
  at(SELECTION_STATE, 'UNLINK', key)
end
