-- Runs once, before a script: gets the door and returns configure(settings), which makes the globals and returns main(source, name, args).
-- What stands here as a local cannot be replaced by a script, which may change every global and the metatable of texts.
local post, receive = ...
local error, getmetatable, ipairs, load, next, pairs, pcall, rawequal, rawget, rawset, select, setmetatable, tonumber, tostring, type, xpcall =
      error, getmetatable, ipairs, load, next, pairs, pcall, rawequal, rawget, rawset, select, setmetatable, tonumber, tostring, type, xpcall
local byte, find, format, gsub, match, rep, sub = string.byte, string.find, string.format, string.gsub, string.match, string.rep, string.sub
local concat, pack, remove, sort, unpack = table.concat, table.pack, table.remove, table.sort, table.unpack
local mathtype, floor, huge = math.type, math.floor, math.huge
local utf8char, utf8len, utf8offset = utf8.char, utf8.len, utf8.offset
local cocreate, coresume, costatus, coyield = coroutine.create, coroutine.resume, coroutine.status, coroutine.yield
local traceback, getinfo = debug.traceback, debug.getinfo
local time = {time = os.time, clock = os.clock, date = os.date, difftime = os.difftime}
local globals = _G
local MAX_DEPTH <const>, SAFE <const>, MAX_TEXT <const> = 32, 1 << 53, 2000
local MAX_MESSAGE <const> = 4194304 -- limits.scriptMessageBytes

-- Errors are tables with a code; as text they are their message. The host's number of an error is not for scripts.
local Fault = {__name = "error", __tostring = function(e) return tostring(e.message) end, __metatable = "error"}
local hints = {} -- code -> hint, from the settings
local faults, refs = setmetatable({}, {__mode = "k"}), setmetatable({}, {__mode = "k"})
local function raised(e)
  setmetatable(e, Fault)
  faults[e] = true
  return e
end
-- The line of the script that is running.
local function position()
  for level = 2, 20 do
    local at = getinfo(level, "Sl")
    if not at then return nil end
    if at.currentline > 0 and at.short_src ~= "llmspell" then return at.short_src .. ":" .. at.currentline end
  end
end
local function fault(code, message)
  return raised({code = code, message = message, hint = hints[code], retryable = false, where = position()})
end

-- JSON. Lists are marked by their metatable, so [] survives a round trip.
local null = setmetatable({}, {__name = "null", __tostring = function() return "null" end, __metatable = "null"})
local List = {__name = "list"}
local ids = setmetatable({}, {__mode = "k"}) -- object of the host -> its number
local escapes = {['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t"}
local function escape(c) return escapes[c] or format("\\u%04x", byte(c)) end
local function quote(s, fail)
  if not utf8len(s) then fail("text that is not UTF-8") end
  return '"' .. gsub(s, '[%c"\\]', escape) .. '"'
end

-- @param functions called with a function, gives its number; absent: functions are refused
local arguments -- ARGS: the one table with items and names, which crosses as names alone
local function encode(value, functions, indent)
  local out, n, seen = {}, 0, {}
  local function fail(what) error(fault("script-argument", what .. " cannot be passed on"), 0) end
  local function put(s) n = n + 1; out[n] = s end
  local function line(depth) if indent then put("\n" .. rep(" ", indent * depth)) end end
  local function write(v, depth)
    local kind = type(v)
    if kind == "string" then put(quote(v, fail))
    elseif kind == "boolean" then put(v and "true" or "false")
    elseif kind == "nil" or rawequal(v, null) then put("null")
    elseif kind == "number" then
      if mathtype(v) == "integer" then
        put((v > SAFE or v < -SAFE) and '"' .. format("%d", v) .. '"' or format("%d", v))
      elseif v ~= v or v == huge or v == -huge then fail("a number that is not finite")
      else local short = format("%.15g", v); put(tonumber(short) == v and short or format("%.17g", v)) end
    elseif kind == "function" and functions then put('{"$fn":' .. functions(v) .. "}")
    elseif kind ~= "table" then fail("a " .. kind)
    elseif rawequal(v, arguments) then
      local named = {}
      for k, inner in next, v do named[tostring(k)] = inner end
      write(named, depth)
    elseif ids[v] then
      if functions then put('{"$id":' .. ids[v] .. "}") else fail("an object of the host") end
    else
      if depth >= MAX_DEPTH then fail("data nested deeper than " .. MAX_DEPTH) end
      if seen[v] then fail("a table that holds itself") end
      seen[v] = true
      local count = #v
      if getmetatable(v) == List or count > 0 then
        for k in next, v do
          if mathtype(k) ~= "integer" then fail("a table with both list items and named fields") end
          if k < 1 then fail("a list with an item " .. k) end
          if k > count then fail("a list with holes (" .. count + 1 .. " is nil, " .. k .. " is not)") end
        end
        put("[")
        for i = 1, count do
          if i > 1 then put(",") end
          line(depth + 1)
          write(v[i], depth + 1)
        end
        if count > 0 then line(depth) end
        put("]")
      else
        local keys = {}
        for k in next, v do
          if type(k) ~= "string" then fail("a table with a key of type " .. type(k)) end
          keys[#keys + 1] = k
        end
        sort(keys)
        put("{")
        for i, k in ipairs(keys) do
          if i > 1 then put(",") end
          line(depth + 1)
          put(quote(functions and byte(k) == 36 and "$" .. k or k, fail))
          put(indent and ": " or ":")
          write(v[k], depth + 1)
        end
        if #keys > 0 then line(depth) end
        put("}")
      end
      seen[v] = nil
    end
  end
  write(value, 0)
  return concat(out)
end

local object -- number and class -> the one table that stands for it
local backs = {b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/"}
local literals = {["true"] = true, ["false"] = false}
-- @param wire true for text of the host: it may speak of objects
local function decode(text, wire)
  local function fail(at, what) error(fault("script-json", format("%s at position %d", what, at)), 0) end
  local function skip(i) return find(text, "[^ \t\r\n]", i) or #text + 1 end
  local function unescape(at, body)
    return (gsub(gsub(body, "\\u([dD][89abAB]%x%x)\\u([dD][c-fC-F]%x%x)", function(hi, lo)
      return utf8char(0x10000 + ((tonumber(hi, 16) - 0xD800) << 10) + tonumber(lo, 16) - 0xDC00)
    end), "\\(u?)(.?)(%x?%x?%x?)", function(u, c, more)
      if u == "u" then
        local unit = tonumber(c .. more, 16)
        if #c + #more ~= 4 or not unit then fail(at, "bad escape") end
        return utf8char(unit >= 0xD800 and unit < 0xE000 and 0xFFFD or unit)
      end
      return (backs[c] or fail(at, "bad escape")) .. more
    end))
  end
  local value
  local function string_at(i)
    local from = i + 1
    local at = from
    while true do
      at = find(text, '["\\]', at) or fail(i, "text without an end")
      if byte(text, at) == 34 then break end
      at = at + 2
    end
    local body = sub(text, from, at - 1)
    if find(body, "%c") and find(body, "[\0-\31]") then fail(i, "control character in text") end
    return find(body, "\\", 1, true) and unescape(i, body) or body, at + 1
  end
  function value(i, depth)
    if depth > MAX_DEPTH * 2 then fail(i, "nested too deep") end
    i = skip(i)
    local c = byte(text, i)
    if c == 34 then return string_at(i)
    elseif c == 123 then
      local t, id, class = {}, nil, nil
      i = skip(i + 1)
      if byte(text, i) == 125 then return t, i + 1 end
      while true do
        if byte(text, i) ~= 34 then fail(i, "name expected") end
        local k, v
        k, i = string_at(i)
        i = skip(i)
        if byte(text, i) ~= 58 then fail(i, "colon expected") end
        v, i = value(i + 1, depth + 1)
        if not wire or byte(k) ~= 36 then t[k] = v
        elseif k == "$id" then id = v
        elseif k == "$class" then class = v
        else t[sub(k, 2)] = v end
        i = skip(i)
        local d = byte(text, i)
        if d == 125 then return id and object(id, class) or t, i + 1 end
        if d ~= 44 then fail(i, "comma or } expected") end
        i = skip(i + 1)
      end
    elseif c == 91 then
      local t, n = setmetatable({}, List), 0
      i = skip(i + 1)
      if byte(text, i) == 93 then return t, i + 1 end
      while true do
        n = n + 1
        t[n], i = value(i, depth + 1)
        i = skip(i)
        local d = byte(text, i)
        if d == 93 then return t, i + 1 end
        if d ~= 44 then fail(i, "comma or ] expected") end
        i = i + 1
      end
    end
    local word = match(text, "^%l+", i)
    if word == "null" then return null, i + 4 end
    if word and literals[word] ~= nil then return literals[word], i + #word end
    local number = match(text, "^-?%d+%.?%d*[eE]?[-+]?%d*", i)
    local n = number and not match(number, "^-?0%d") and not match(number, "%.$") and not match(number, "%.[eE]") and tonumber(number)
    if not n then fail(i, "value expected") end
    return n, i + #number
  end
  local result, i = value(1, 0)
  i = skip(i)
  if i <= #text then fail(i, "text after the value") end
  return result
end

-- Calls. One loop serves answer, failure and callbacks; what belongs to another call (of another coroutine) waits in its queue.
-- a result may be an object of the host, but no function: nobody could call it
local function no_function() error(fault("script-argument", "a function cannot be passed on"), 0) end
local serial, kept, waiting = 0, {}, {}
local keeping, later = {}, {} -- calls whose functions are called within later calls, and these functions
local function call(name, ...)
  serial = serial + 1
  local id, mine, count = serial, {}, select("#", ...)
  local args = setmetatable({...}, List)
  for i = 1, count do if args[i] == nil then args[i] = null end end
  local asked = encode(args, function(f)
    if keeping[name] then later[#later + 1] = f; return -#later end
    mine[#mine + 1] = f
    return #mine
  end)
  if #asked > MAX_MESSAGE - 1000 then
    error(fault("script-argument", format("%s: expected arguments of at most %d bytes together, got %d", name, MAX_MESSAGE - 1000, #asked)), 0)
  end
  post(format('{"t":"call","id":%d,"f":"%s","a":%s}', id, name, asked))
  waiting[id] = {}
  while true do
    local queue = waiting[id]
    local message = queue[1]
    if message then remove(queue, 1) else message = decode(receive(), true) end
    if message.id ~= id then
      local other = waiting[message.id]
      if other then other[#other + 1] = message end
    elseif message.t == "ret" then
      waiting[id], kept[id] = nil, nil
      local v = message.v
      if rawequal(v, null) then return nil end
      return v
    elseif message.t == "err" then
      waiting[id] = nil
      local e = message.e
      if e.code == "callback" then
        local own = kept[id]
        kept[id] = nil
        error(own, 0)
      end
      local ref = e.ref
      e.ref = nil
      e.where = position()
      raised(e)
      refs[e] = ref
      error(e, 0)
    else -- a callback
      local a, n = message.a, #message.a
      for i = 1, n do if rawequal(a[i], null) then a[i] = nil end end
      if message.ms then post(format("<%d", message.ms)) end
      local ok, v = pcall(message.fn < 0 and later[-message.fn] or mine[message.fn], unpack(a, 1, n))
      if message.ms then post("<") end
      local good, text = pcall(encode, ok and v, no_function)
      if ok and good and #text > MAX_MESSAGE - 1000 then good, text = false, "expected a result of at most 4 MiB" end
      if ok and not good then ok, v = false, text end
      if not ok then
        kept[id] = v
        good, text = pcall(function()
          local said = type(v) == "table" and rawget(v, "message")
          if type(said) ~= "string" and type(v) == "table" and getmetatable(v) == nil then
            local shows, json = pcall(encode, v)
            said = shows and json
          end
          return encode(gsub(sub(type(said) == "string" and said or tostring(v), 1, MAX_TEXT), "!late: ", ""))
        end)
        if not good then text = "null" end
      end
      post(format('{"t":"back","id":%d,"n":%d,"ok":%s,"v":%s}', id, message.n, ok, text))
    end
  end
end

-- Objects of the host: one table per number, whose methods pass it back.
local classes, objects = {}, setmetatable({}, {__mode = "v"})
function object(id, class)
  local o = objects[id]
  if not o then o = setmetatable({}, classes[class]); objects[id] = o; ids[o] = id end
  return o
end
local function make_globals(manifest)
  for _, name in ipairs(manifest.keeps) do keeping[name] = true end
  for name, methods in pairs(manifest.classes) do
    local index = {}
    for alias, real in pairs(methods) do
      index[alias] = function(self, ...)
        if not ids[self] then error(fault("script-argument", format("%s: call it as object:%s(…)", alias, alias)), 0) end
        return call(real, self, ...)
      end
    end
    classes[name] = {__index = index, __name = name, __metatable = name}
  end
  for name, functions in pairs(manifest.globals) do
    local t = {}
    for alias, real in pairs(functions) do t[alias] = function(...) return call(real, ...) end end
    globals[name] = t
  end
  for name, own in pairs(manifest.named) do
    local t = globals[name]
    local function executable(of, found)
      local function execute(self, ...)
        if self == found then return call(own.call, of, ...) end
        return call(own.call, of, self, ...)
      end
      return setmetatable(found, {__index = {execute = execute}, __call = function(_, ...) return call(own.call, of, ...) end})
    end
    for alias, of in pairs(own.names) do t[alias] = executable(of, {name = of}) end
    local find = t[own.get]
    t[own.get] = function(...)
      local found = find(...)
      return found and executable(found.name, found)
    end
  end
end

-- What the guest itself gives.
local words = {string = "text", number = "a number", table = "a table", ["function"] = "a function", ["nil"] = "nothing"}
local function want(kind, value, name)
  local got = type(value)
  if got == kind then return end
  local expected, shown = words[kind], words[got] or "a " .. got
  local e = fault("script-argument", format("%s: expected %s, got %s", name, expected, shown))
  e.details = {["function"] = match(name, "^[^:]+"), argument = match(name, ": (.*)$"), expected = expected, got = shown}
  error(e, 0)
end
globals.JSON = {
  null = null,
  array = function(t)
    if t ~= nil then want("table", t, "JSON.array: t") end
    return setmetatable(t or {}, List)
  end,
  parse = function(s)
    want("string", s, "JSON.parse: s")
    return decode(s)
  end,
  stringify = function(v, indent)
    if indent ~= nil then want("number", indent, "JSON.stringify: indent") end
    return encode(v, nil, indent and indent > 0 and floor(indent < 10 and indent or 10) or nil)
  end,
}
local function show(v)
  if type(v) == "table" and not ids[v] and not faults[v] and (getmetatable(v) == nil or getmetatable(v) == List or rawequal(v, arguments)) then
    local ok, s = pcall(encode, v, nil, 2)
    if ok then return s end
  end
  return tostring(v)
end
local function write(text) post(">" .. text) end
function globals.print(...)
  local parts = pack(...)
  for i = 1, parts.n do parts[i] = show(parts[i]) end
  write(concat(parts, "\t", 1, parts.n) .. "\n")
end

-- Streaming: a generator over a coroutine. One value is looked at in advance, so that is_done() is true after the last one.
local Stream = {}
local function advance(self)
  local state = rawget(self, 1)
  if state.ahead or state.done then return state end
  local got = pack(coresume(state.thread))
  if not got[1] then state.done = true; error(got[2], 0) end
  if costatus(state.thread) == "dead" then state.done = true else state.ahead, state.value = true, got[2] end
  return state
end
function Stream.next(self)
  local state = advance(self)
  local value = state.value
  state.ahead, state.value = false, nil
  return value
end
function Stream.is_done(self) return advance(self).done == true end
function Stream.collect(self)
  local all, n = setmetatable({}, List), 0
  while not advance(self).done do n = n + 1; all[n] = Stream.next(self) end
  return all
end
Stream.isDone = Stream.is_done
local StreamOf = {__index = Stream, __name = "Stream", __metatable = "Stream"}
globals.Streaming = {
  create = function(f)
    want("function", f, "Streaming.create: fn")
    return setmetatable({{thread = cocreate(f)}}, StreamOf)
  end,
  yield = coyield,
}

-- Input and files. Texts come from the host whole or by lines; a file is read when it is opened and written when it is closed.
local input, input_ended = "", false
local function more_input()
  if input_ended then return false end
  local line = call("io.line")
  if line == nil then input_ended = true else input = input .. line end
  return line ~= nil
end
local function take(source, what) -- source: {text, at}; more() brings more text
  local function rest() return sub(source.text, source.at) end
  if type(what) == "number" then
    while #source.text - source.at + 1 < what and source.more() do end
    local piece = sub(source.text, source.at, source.at + what - 1)
    source.at = source.at + #piece
    return (piece ~= "" or what == 0) and piece or nil
  end
  what = gsub(what, "^%*", "")
  if what == "a" then
    while source.more() do end
    local piece = rest()
    source.at = #source.text + 1
    return piece
  elseif what == "n" then
    while not find(source.text, "%S", source.at) and source.more() do end
    local from, to = find(source.text, "^%s*[-+]?[%w.]+", source.at)
    local n = from and tonumber((sub(source.text, from, to)))
    if n then source.at = to + 1 end
    return n
  elseif what == "l" or what == "L" then
    while not find(source.text, "\n", source.at, true) and source.more() do end
    if source.at > #source.text then return nil end
    local stop = find(source.text, "\n", source.at, true)
    local piece = sub(source.text, source.at, (stop or #source.text + 1) - (what == "l" and 1 or 0))
    source.at = (stop or #source.text) + 1
    return piece
  end
  error(fault("script-argument", "read: expected l, L, n, a or a number, got " .. what), 0)
end
local function take_all(source, ...)
  if select("#", ...) == 0 then return take(source, "l") end
  local got = pack(...)
  for i = 1, got.n do got[i] = take(source, got[i]) end
  return unpack(got, 1, got.n)
end
local function none() return false end
local stdin = setmetatable({at = 1, more = more_input}, {
  __index = function(_, k) return k == "text" and input or nil end,
})
local function put_all(out, self, ...)
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    if type(v) ~= "string" and type(v) ~= "number" then error(fault("script-argument", "write: expected text or a number, got " .. type(v)), 0) end
    out(tostring(v))
  end
  return self
end
local stdout = {}
function stdout.write(self, ...) return put_all(write, self, ...) end
local function make_io(settings)
  local io = {
    write = function(...) return put_all(write, stdout, ...) end,
    read = function(...) return take_all(stdin, ...) end,
  }
  if settings.stdlib ~= "All" or not settings.hasFiles then return io end
  local File = {}
  local files = {__index = File, __name = "file", __metatable = "file"}
  function File.read(self, ...) return take_all(self[1], ...) end
  function File.write(self, ...)
    local state = self[1]
    if not state.out then return nil, "the file is not open for writing" end
    return put_all(function(s) state.out[#state.out + 1] = s end, self, ...)
  end
  function File.flush(self)
    local state = self[1]
    if state.out then
      call("file.write", state.path, concat(state.out), state.append)
      state.append, state.out = true, {}
    end
    return self
  end
  function File.close(self)
    File.flush(self)
    self[1].out = nil
    return true
  end
  function File.lines(self, ...)
    local formats = pack(...)
    return function() return take_all(self[1], unpack(formats, 1, formats.n)) end
  end
  function io.open(path, mode)
    want("string", path, "io.open: path")
    mode = gsub(mode or "r", "b", "")
    local state = {path = path, text = "", at = 1, more = none}
    if mode == "r" then
      local text = call("file.read", path)
      if text == nil then return nil, path .. ": No such file or directory", 2 end
      state.text = text
    elseif mode == "w" or mode == "a" then
      state.out, state.append = {}, mode == "a"
    else
      error(fault("script-argument", "io.open: expected mode r, w or a, got " .. mode), 0)
    end
    local file = setmetatable({state}, files)
    if mode == "w" then File.flush(file) end
    return file
  end
  function io.lines(path, ...)
    local file, why = io.open(path)
    if not file then error(why, 2) end
    return File.lines(file, ...)
  end
  return io
end

local function exit(n)
  n = n == nil and 0 or n == true and 0 or n == false and 1 or n
  if mathtype(n) ~= "integer" or n < 0 or n > 255 then
    error(fault("script-argument", "os.exit: expected a whole number from 0 to 255, got " .. tostring(n)), 0)
  end
  post('{"t":"end","exit":' .. n .. "}")
  while true do receive() end -- the host ends this process
end

local loaded = {}
local function require_module(name)
  want("string", name, "require: name")
  if loaded[name] ~= nil then return loaded[name] end
  if not match(name, "^[%w_-]+[%w_.-]*$") or find(name, "..", 1, true) then
    error(fault("script-denied", "require: " .. sub(name, 1, 60) .. " is no name of a file beside the script"), 0)
  end
  local path = gsub(name, "%.", "/") .. ".lua"
  local chunk, why = load(gsub(gsub(call("module.load", path), "^\xEF\xBB\xBF", ""), "^#![^\n]*", ""), "@" .. path, "t")
  if not chunk then error(fault("script-syntax", why), 0) end
  local value = chunk(name)
  if value == nil then value = true end
  loaded[name] = value
  return value
end

-- Ends of an input.
local function own_trace(level)
  return (gsub(gsub(traceback("", level), "^%s*stack traceback:\n", ""), "\n%s*%[C%]: in %a+ 'xpcall'.*$", ""))
end
local function describe(e)
  local trace = own_trace(3)
  if type(e) == "table" and faults[e] then
    return {code = e.code, message = e.message, hint = e.hint, commands = e.commands, details = e.details, ref = refs[e], where = e.where, trace = trace}
  end
  if type(e) ~= "string" then
    local ok, s = pcall(function()
      if type(e) ~= "table" or getmetatable(e) ~= nil then return tostring(e) end
      return type(e.message) == "string" and e.message or encode(e)
    end)
    e = ok and type(s) == "string" and s or "an error of type " .. type(e)
  end
  if match(sub(e, -30), "not enough memory$") then return {code = "script-memory", message = "not enough memory"} end
  e = sub(e, 1, MAX_TEXT + 200) -- looking through a huge one would take the time that is left
  if find(e, "!stop: ", 1, true) then return {code = "run-aborted", message = "stopped", where = position()} end
  if find(e, "!time: ", 1, true) then return {code = "script-time", message = "the script computed for too long", where = position(), trace = trace} end
  if find(e, "stack overflow", 1, true) then return {code = "script-stack", message = sub(e, 1, 200), where = match(e, "^([^\n:]+:%d+): ")} end
  local where, text = match(e, "^([^\n:]+:%d+): (.*)$")
  return {code = "script-error", message = sub(text or e, 1, MAX_TEXT), where = where, trace = trace}
end
local function failure(e)
  -- a text cut inside a character, or an error whose parts cannot cross, is told without them
  local ok, text = pcall(encode, e)
  if not ok then ok, text = pcall(encode, {code = e.code, where = e.where, message = gsub(tostring(e.message), "[\128-\255]", "?")}) end
  return '{"t":"fail","e":' .. (ok and text or '{"code":"script-error","message":"an error that cannot be shown"}') .. "}"
end

-- Names for a person who types. What lies at a path is read without a call into the script.
local function behind(v)
  local meta = getmetatable(v)
  if type(meta) == "string" then meta = classes[meta] end
  local index = type(meta) == "table" and rawget(meta, "__index")
  return type(index) == "table" and index or nil
end
local function members(path)
  local at = globals
  for _, name in ipairs(path) do
    local t, value = type(at) == "table" and at or behind(at), nil
    for _ = 1, 10 do
      if not t then break end
      value = rawget(t, name)
      if value ~= nil then break end
      t = behind(t)
    end
    at = value
  end
  local out, t = {}, type(at) == "table" and at or behind(at)
  for _ = 1, 10 do
    if not t then break end
    for k, v in next, t do
      if type(k) == "string" and match(k, "^[%a_][%w_]*$") and not out[k] then out[k] = type(v) end
    end
    t = behind(t)
  end
  return out
end

return function(settings_text)
  local settings = decode(settings_text)
  hints = settings.hints
  make_globals(settings.manifest)
  if globals.Debug then
    local function stack() local text = own_trace(3) return text end -- no tail call: a frame is counted
    globals.Debug.stackTrace, globals.Debug.stack_trace = stack, stack
  end
  local level = ({None = 0, Basic = 1, Standard = 2, All = 3})[settings.stdlib]
  local own = {utf8 = globals.utf8, coroutine = globals.coroutine}
  for _, name in ipairs{"load", "loadfile", "dofile", "require", "collectgarbage", "warn", "debug", "os", "io", "utf8", "coroutine"} do globals[name] = nil end
  string.dump = nil
  if level < 1 then
    globals.string, globals.table, globals.math = nil, nil, nil
    getmetatable("").__index = nil
  end
  if level >= 2 then
    globals.utf8, globals.coroutine = own.utf8, own.coroutine
    globals.os = {time = time.time, clock = time.clock, date = time.date, difftime = time.difftime, exit = exit}
    globals.io = make_io(settings)
  end
  if level >= 3 then globals.require = require_module end
  if settings.isDebug then globals.debug = {traceback = traceback} end

  -- A script, or one input of a shell: then the value of an expression is shown.
  return function(source, name, args_text)
    if name == "=keys" then return '{"t":"end","v":' .. encode(members(decode(source).path)) .. "}" end
    if args_text ~= "" then
      local args = decode(args_text)
      local all = setmetatable({}, {__index = function(t, k) return type(k) == "string" and match(k, "^%d+$") and rawget(t, tonumber(k)) or nil end})
      for k, v in pairs(args.named) do all[k] = v end
      for i, v in ipairs(args.positional) do all[i] = v end
      all[0] = args.script
      arguments = all
      globals.ARGS, globals.arg = all, all
    end
    local is_shell = name == "=shell"
    local chunk, why, first_why
    if is_shell then chunk, first_why = load("return " .. source, name, "t") end
    if not chunk then chunk, why = load(source, name, "t") end
    if not chunk then
      if is_shell and (match(why, "<eof>'?$") or match(first_why, "<eof>'?$") and not match(source, "^%s*[%a_]")) then return '{"t":"more"}' end
      local where, text = match(why, "^([^\n:]+:%d+): (.*)$")
      return failure({code = match(why, "overflow") and "script-stack" or "script-syntax", message = sub(text or why, 1, MAX_TEXT), where = where})
    end
    local results = pack(xpcall(chunk, describe))
    if not results[1] then
      -- Lua calls no handler when memory or the stack of handlers ran out: then the value is still the bare text.
      local e = results[2]
      return failure(type(e) == "table" and rawget(e, "code") and e or describe(e))
    end
    if is_shell then
      if results.n > 1 then globals.print(unpack(results, 2, results.n)) end
      return '{"t":"end"}'
    end
    local ok, text = pcall(encode, results[2])
    if ok then return '{"t":"end","v":' .. text .. "}" end
    if type(text) == "string" then return failure(describe(text)) end -- memory or time ran out
    return failure({code = "script-error", message = "the result: " .. tostring(text)})
  end
end
