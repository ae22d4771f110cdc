-- What wrk sends: requests that were written beforehand, each connection the next one. Prints one line of JSON at the end.
-- Arguments: HEADS BODIES, files of length-prefixed parts; request number n is head n and body n (modulo their count).

local function parts(path)
  local file, found = assert(io.open(path, "rb")), {}
  while true do
    local size = file:read("*l")
    if not size then break end
    found[#found + 1] = file:read(tonumber(size))
  end
  file:close()
  return found
end

local heads, bodies, number

function init(args)
  heads, bodies, number = parts(args[1]), parts(args[2]), -1
end

function request()
  number = number + 1
  local body = bodies[number % #bodies + 1] or ""
  return heads[number % #heads + 1] .. body
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"per_second": %f, "requests": %d, "p50": %f, "p99": %f, "errors": %d}\n',
    summary.requests / summary.duration * 1e6, summary.requests, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
