-- Cancels a batch unless it was written; returns 1 if it was, else 0.  ARGV: token, its lifetime in s
local key = 'selection_batch:' .. ARGV[1]
at(SELECTION_STATE, 'SET', key, 'cancelled', 'NX', 'EX', ARGV[2])
return at(SELECTION_STATE, 'GET', key) == 'written' and 1 or 0
