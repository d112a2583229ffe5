-- wrk script: sends bodies in turn, and notes when the answers of a window of time came. Answers
-- before it only fill the server, so that as much unfinished work enters the window as leaves it.
-- Arguments: seconds before the window, its seconds, the content type, one file for each body.
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } bench_time;
  int clock_gettime(int clock, bench_time *time);
]]
local MONOTONIC = 1
local time = ffi.new("bench_time")
local requests, sent = {}, 0
local threads = {}
local ramp, window, from, to
-- Microseconds from the window's start. Not local, for wrk reads it across threads.
answered = {}

local function now()
  ffi.C.clock_gettime(MONOTONIC, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  ramp, window = tonumber(args[1]), tonumber(args[2])
  for index = 4, #args do
    local file = assert(io.open(args[index], "rb"))
    local headers = { ["Content-Type"] = args[3] }
    requests[#requests + 1] = wrk.format("POST", nil, headers, file:read("*a"))
    file:close()
  end
end

function request()
  if not from then
    from = now() + ramp
    to = from + window
  end
  sent = sent % #requests + 1
  return requests[sent]
end

function response()
  local at = now()
  if at >= from and at < to then
    answered[#answered + 1] = math.floor((at - from) * 1e6)
  end
end

function done(summary, latency, _)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  for _, thread in ipairs(threads) do
    io.write("answered_us=", table.concat(thread:get("answered"), ","), "\n")
  end
  io.write(string.format(
    "bench requests=%d refused=%d broken=%d us=%d p50_us=%d p99_us=%d\n",
    summary.requests, errors.status, broken, summary.duration,
    latency:percentile(50), latency:percentile(99)))
end
