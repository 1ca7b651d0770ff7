-- A query frontend's record lives this long after it was last renewed.
local FRONTEND_LIFETIME_MS = 10000
