-- Readers who are known, of whom one request in twenty writes. Arguments after --: those of who.lua.
local here = debug.getinfo(1, "S").source:sub(2):match("^(.*)/") or "."

function init(args)
  request = dofile(here .. "/who.lua")(tonumber(args[1]), tonumber(args[2]), args[3])
end

dofile(here .. "/counted.lua")
