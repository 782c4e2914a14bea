-- Requests at a fixed rate, whether or not those before have been answered. Each has a time at which it is meant to be
-- sent, and its latency counts from there, so that a subject which stalls is charged with all that had to wait.
-- wrk itself only sends when it has an answer; it lends its LuaJIT, in which all of this happens before its own load would
-- begin, with one epoll and waits of microseconds.
-- Arguments after --: those of who.lua, port, connections, requests per second, seconds, seconds of warm-up. What it has
-- counted is the line of counted.lua, after the line OPEN, a line read, and the load.
local ffi = require "ffi"
local C = ffi.C
local here = debug.getinfo(1, "S").source:sub(2):match("^(.*)/") or "."

-- The kernel packs an event on x86-64 alone.
local packing = ffi.arch == "x64" and "packed" or "aligned(8)"
ffi.cdef([[
  struct address { uint16_t family, port; uint32_t host; char zero[8]; };
  struct time { long s, ns; };
  struct event { uint32_t events; int32_t of, unused; } __attribute__((]] .. packing .. [[));
  int socket(int, int, int);
  int connect(int, const struct address *, uint32_t);
  int setsockopt(int, int, int, const int *, uint32_t);
  long send(int, const char *, size_t, int);
  long recv(int, char *, size_t, int);
  int epoll_create1(int);
  int epoll_ctl(int, int, int, struct event *);
  int epoll_pwait2(int, struct event *, int, const struct time *, const void *);
  int clock_gettime(int, struct time *);
]])

local INET, STREAM, TCP, NODELAY, MONOTONIC, ADD, READABLE = 2, 1, 6, 1, 1, 1, 1
local OVERDUE_S = 10
local MOST = 65536
local buffer, events, spare = ffi.new("char[?]", MOST), ffi.new("struct event[64]"), ffi.new("struct time")
local queue

local function now()
  C.clock_gettime(MONOTONIC, spare)
  return tonumber(spare.s) + tonumber(spare.ns) / 1e9
end

local function open(port)
  local socket = C.socket(INET, STREAM, 0)
  local address = ffi.new("struct address", { INET, bit.rshift(bit.bswap(port), 16), bit.bswap(0x7f000001) })
  if socket < 0 or C.connect(socket, address, ffi.sizeof(address)) ~= 0 then error("cannot connect to " .. port) end
  C.setsockopt(socket, TCP, NODELAY, ffi.new("int[1]", 1), 4)
  C.epoll_ctl(queue, ADD, socket, ffi.new("struct event", { READABLE, socket }))
  return socket
end

-- The status of an answer that has arrived whole.
local function complete(answer)
  local _, head_end = answer:find("\r\n\r\n", 1, true)
  if not head_end then return nil end
  local head = answer:sub(1, head_end):lower()
  local length = head:match("\r\ncontent%-length: *(%d+)")
  local whole
  if length then whole = #answer >= head_end + tonumber(length)
  else whole = not head:find("\r\ntransfer-encoding: *chunked") or answer:sub(-5) == "0\r\n\r\n" end
  return whole and tonumber(head:sub(10, 12)) or nil
end

-- Requests that are due wait for a free connection in the order of their times.
local function run(free, draw, rate, seconds)
  local total = math.floor(rate * seconds + 0.5)
  local latencies, meant, parts = {}, {}, {}
  local sent, failed, oldest, newest = 0, 0, 1, #free
  local start = now()
  local deadline = start + seconds + OVERDUE_S
  local at = start
  while #latencies < total and at < deadline do
    while sent < total and start + sent / rate <= at and oldest <= newest do
      local socket, request = free[oldest], draw()
      free[oldest], oldest = nil, oldest + 1
      meant[socket], sent = start + sent / rate, sent + 1
      if C.send(socket, request, #request, 0) ~= #request then error("a request could not be sent") end
    end
    local until_s = sent < total and oldest <= newest and start + sent / rate or deadline
    local wait = math.max(0, until_s - now())
    spare.s = math.floor(wait)
    spare.ns = (wait - math.floor(wait)) * 1e9
    local count = C.epoll_pwait2(queue, events, 64, spare, nil)
    at = now()
    for nth = 0, count - 1 do
      local socket = events[nth].of
      local length = tonumber(C.recv(socket, buffer, MOST, 0))
      if length <= 0 then error("a connection was closed") end
      local answer = (parts[socket] or "") .. ffi.string(buffer, length)
      local status = complete(answer)
      parts[socket] = not status and answer or nil
      if status then
        latencies[#latencies + 1] = at - meant[socket]
        if status ~= 200 then failed = failed + 1 end
        newest = newest + 1
        free[newest] = socket
      end
    end
  end
  local took = now() - start
  local still_free = {}
  for nth = oldest, newest do still_free[#still_free + 1] = free[nth] end
  return still_free, latencies, took, failed + total - #latencies
end

local function say(latencies, seconds, failed)
  table.sort(latencies)
  local function us(share) return (latencies[math.max(1, math.ceil(share * #latencies))] or 0) * 1e6 end
  io.write(string.format(
    'COUNTED {"requests":%d,"durationUs":%d,"bytes":0,"p50Us":%d,"p99Us":%d,"p999Us":%d,"maxUs":%d,' ..
    '"connect":0,"read":0,"write":0,"status":%d,"timeout":0}\n',
    #latencies, seconds * 1e6, us(0.5), us(0.99), us(0.999), us(1), failed))
end

function init(args)
  local draw = dofile(here .. "/who.lua")(tonumber(args[1]), tonumber(args[2]), args[3])
  local port, connections, rate, seconds, warm_up = unpack(args, 4, 8)
  queue = C.epoll_create1(0)
  local free = {}
  for nth = 1, tonumber(connections) do free[nth] = open(tonumber(port)) end
  free = run(free, draw, tonumber(rate), tonumber(warm_up))
  io.write("OPEN\n")
  io.flush()
  io.read()
  local _, latencies, took, failed = run(free, draw, tonumber(rate), tonumber(seconds))
  say(latencies, took, failed)
  io.flush()
  os.exit(0)
end
