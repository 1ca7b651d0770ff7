-- A query frontend's record lives this long after it was last renewed.
local FRONTEND_LIFETIME_MS = 10000
-- A request to put a lost registry back, and what became of it, are known for this long.
local RESTORE_LIFETIME_MS = 30000
