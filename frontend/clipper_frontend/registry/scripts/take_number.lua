-- Returns the number that a query frontend's query ids begin with. It repeats only after two million numbers.
local NUMBERS = 2 ^ 21
return at(FRONTENDS, 'INCR', 'QUERY_FRONTEND_NUMBER') % NUMBERS
