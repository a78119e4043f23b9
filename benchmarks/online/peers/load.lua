-- What wrk asks, and what it says in the end: wrk -s load.lua URL -- BODIES FIRST
--
-- BODIES: a file with a body a line; each is asked in turn, and an empty one is a GET. MARK in a
-- body becomes a price that no other request of the run has, counted on from FIRST: a float32 from
-- 1 to 10, always of the same width, so that the length of a body stays what it is.

local MARK = "PRICE....."
local STEPS, STEP = 9 * 2 ^ 20, 2 ^ -20
local asked, number = {}, 0

function init(args)
   number = tonumber(args[2])
   for body in io.lines(args[1]) do
      local whole = body == "" and wrk.format("GET") or wrk.format("POST", nil, nil, body)
      local from, to = whole:find(MARK, 1, true)
      asked[#asked + 1] = from and { whole:sub(1, from - 1), whole:sub(to + 1) } or { whole }
   end
end

function request()
   local one, price = asked[number % #asked + 1], 1 + number % STEPS * STEP
   number = number + 1
   return one[2] and one[1] .. ("%.8f"):format(price) .. one[2] or one[1]
end

function done(summary, latency, requests)
   local errors = summary.errors
   local broken = errors.connect + errors.read + errors.write + errors.timeout
   local line = '\n{"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, '
      .. '"p50_ms": %.3f, "p99_ms": %.3f}\n'
   io.write(line:format(
      summary.requests, summary.duration / 1e6, errors.status, broken,
      latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
