-- Cancels a batch unless it was written; returns whether it was.  ARGV: token, how long that is kept in s
local key = 'selection_batch:' .. ARGV[1]
at(SELECTION_STATE, 'SET', key, 'cancelled', 'NX', 'EX', ARGV[2])
return at(SELECTION_STATE, 'GET', key) == 'written' and 1 or 0
