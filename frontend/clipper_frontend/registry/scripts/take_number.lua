-- Gives a query frontend a number that ids of queries begin with, and that no other one has had for two
-- million of them.
local NUMBERS = 2 ^ 21
return at(FRONTENDS, 'INCR', 'QUERY_FRONTEND_NUMBER') % NUMBERS
