local redis = require "nginx.redis"

local pins = { redis_port = 6379 }
local WINDOW_MS = 10000
local IDLE_MS = 60000
local POOL = 256

local function connected()
  local client = redis:new()
  client:set_timeout(1000)
  if not client:connect("127.0.0.1", pins.redis_port) then return nil end
  return client
end

local function safe(method)
  return method == "GET" or method == "HEAD" or method == "OPTIONS"
end

-- Without Redis nobody knows who has written, so everybody reads from the writer.
function pins.choose()
  local var = ngx.var
  if var.cookie_region == nil then
    ngx.header["Set-Cookie"] = "region=replica; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600"
  end
  local read = safe(ngx.req.get_method())
  local who = var.http_authorization
  if not read then var.region = "writer" end
  if who == nil then return end

  local client = connected()
  if client == nil then
    var.region = "writer"
    return
  end
  local key = "pin:" .. who
  if read then
    local pin, err = client:get(key)
    if err or pin ~= ngx.null then var.region = "writer" end
  else
    client:set(key, "1", "PX", WINDOW_MS)
  end
  client:set_keepalive(IDLE_MS, POOL)
end

return pins
