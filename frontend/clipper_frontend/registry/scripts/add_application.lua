-- Adds an application.  ARGV: name, selection state of the default user, then the fields of its hash
local name = ARGV[1]
if exists(APPLICATIONS, name) then
  return refuse("application '%s' already exists", name)
end
at(LINKS, 'DEL', name)
at(SELECTION_STATE, 'SET', name .. ':0:0', ARGV[2])
at(APPLICATIONS, 'HSET', name, unpack(ARGV, 3))
