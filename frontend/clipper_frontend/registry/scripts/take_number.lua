-- Returns a number that no live query frontend's query ids begin with. Numbers are given in order from a random one on,
-- so that they repeat only after two million.  ARGV: a random number
local NUMBERS = 2 ^ 21
local taken = {}
local function take(numbers)
  for number in string.gmatch(numbers or '', '%d+') do
    taken[tonumber(number)] = true
  end
end
for _, key in ipairs(at(FRONTENDS, 'KEYS', 'QUERY_FRONTEND:*')) do
  take(try(FRONTENDS, 'HGET', key, 'numbers'))
end
-- Those of frontends that follow a lost registry.
for _, key in ipairs(at(FRONTENDS, 'KEYS', 'QUERY_FRONTEND_CLAIM:*')) do
  take(try(FRONTENDS, 'GET', key))
end
at(FRONTENDS, 'SETNX', 'QUERY_FRONTEND_NUMBER', ARGV[1])
local number
repeat
  number = at(FRONTENDS, 'INCR', 'QUERY_FRONTEND_NUMBER') % NUMBERS
until not taken[number]
return number
