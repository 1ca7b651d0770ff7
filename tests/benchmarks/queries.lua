-- wrk's queries: `features` random numbers each, drawn again for each query; with `fixed`, always the same query.
-- Arguments after `--`: features, decimals, random|fixed, queries per write, seed.
-- Numbers come from a pool of texts, all of one length, so that making a query costs the client little.

local POOL, TAILS, VARIED = 4096, 64, 10
local pool, tails, head, fixed, varied, per_write = {}, {}, "", false, VARIED, 1
local parts = {}

local function numbers(count)
  local texts = {}
  for i = 1, count do
    texts[i] = pool[math.random(POOL)]
  end
  return table.concat(texts, ",")
end

function init(args)
  local features, decimals = tonumber(args[1]), tonumber(args[2])
  fixed, per_write = args[3] == "fixed", tonumber(args[4])
  math.randomseed(tonumber(args[5]))
  for i = 1, POOL do
    pool[i] = string.format("%." .. decimals .. "f", math.random() * 0.999)
  end
  -- Long queries differ in their first numbers; the others come from a few long texts.
  varied = math.min(features, VARIED)
  for i = 1, TAILS do
    tails[i] = (features > varied and "," .. numbers(features - varied) or "") .. "]}"
  end
  local size = #'{"input":[' + #numbers(varied) + #tails[1]
  head = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.host
    .. "\r\nContent-Type: application/json\r\nContent-Length: " .. size .. "\r\n\r\n" .. '{"input":['
  fixed = fixed and head .. numbers(varied) .. tails[1]
end

local function one()
  return fixed or head .. numbers(varied) .. tails[math.random(TAILS)]
end

function request()
  if per_write == 1 then
    return one()
  end
  for i = 1, per_write do
    parts[i] = one()
  end
  return table.concat(parts)
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'RESULT {"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
