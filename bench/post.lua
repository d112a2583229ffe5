-- wrk script: sends bodies in turn. Arguments: the content type, then one file for each body.
local requests = {}
local sent = 0

function init(args)
  for index = 2, #args do
    local file = assert(io.open(args[index], "rb"))
    local headers = { ["Content-Type"] = args[1] }
    requests[#requests + 1] = wrk.format("POST", nil, headers, file:read("*a"))
    file:close()
  end
end

function request()
  sent = sent % #requests + 1
  return requests[sent]
end

function done(summary, latency, _)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    "bench requests=%d us=%d refused=%d broken=%d p50_us=%d p99_us=%d\n",
    summary.requests, summary.duration, errors.status, broken,
    latency:percentile(50), latency:percentile(99)))
end
