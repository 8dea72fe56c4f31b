-- A body after the other, each from a line of the file in the first argument; one line of figures
-- as JSON at the end. The other arguments: the path, and what answers are to be.
local requests, at = {}, 0

function init(args)
  local headers = { ["Content-Type"] = "application/json", ["Accept"] = args[3] }
  for body in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", args[2], headers, body)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '{"count": %d, "seconds": %f, "p50": %f, "p99": %f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, e.status + e.connect + e.read + e.write + e.timeout))
end
