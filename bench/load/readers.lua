-- Readers who are known, of whom one request in twenty writes. Everything is put together before the load begins.
-- Arguments after --: how many users, writes in percent, the file with the cookies of sessions or "-".
local reads, writes = {}, {}
local write_share = 0.05

function init(args)
  local users = tonumber(args[1])
  write_share = tonumber(args[2]) / 100
  math.randomseed(os.time())
  local cookies = {}
  if args[3] ~= "-" then for line in io.lines(args[3]) do cookies[#cookies + 1] = line end end
  for user = 1, users do
    local headers = { Authorization = "Bearer user-" .. user, Cookie = cookies[user % #cookies + 1] }
    reads[user] = wrk.format("GET", wrk.path, headers)
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    writes[user] = wrk.format("POST", wrk.path, headers, "amount=1")
  end
end

function request()
  local kind = math.random() < write_share and writes or reads
  return kind[math.random(#kind)]
end

dofile((debug.getinfo(1, "S").source:sub(2):match("^(.*)/") or ".") .. "/counted.lua")
