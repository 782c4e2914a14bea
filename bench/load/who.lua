-- The requests of a load, put together before it begins. Arguments: how many users (0: nobody in particular), writes in
-- percent, the file with the cookies of sessions or "-". Gives a function that draws one of them.
return function(users, write_percent, cookie_file)
  local cookies = {}
  if cookie_file ~= "-" then for line in io.lines(cookie_file) do cookies[#cookies + 1] = line end end
  local reads, writes = {}, {}
  for user = 1, math.max(users, 1) do
    local headers = { Cookie = cookies[user % #cookies + 1] }
    if users > 0 then headers.Authorization = "Bearer user-" .. user end
    reads[user] = wrk.format("GET", wrk.path, headers)
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    writes[user] = wrk.format("POST", wrk.path, headers, "amount=1")
  end
  math.randomseed(os.time())
  local share = write_percent / 100
  return function()
    local kind = math.random() < share and writes or reads
    return kind[math.random(#kind)]
  end
end
