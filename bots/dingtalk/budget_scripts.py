"""The Lua of the shared budget. Times are microseconds of Redis' own clock, so all processes have one.

Keys of a month: ``month``, a hash of ``YYYY-MM-DD|api`` (calls), ``YYYY-MM-DD|api|throttled`` and the sums ``calls``
and ``messages``; ``sure``, which is there as long as the hash is known to hold what SQL holds. Promises: ``promises``,
a sorted set reply → until when, and ``promised``, a hash reply → ``calls:frames a second``. A window: ``given``, a
sorted set of the calls of the last second; ``line``, who waits, by arrival; ``asked``, when each of them last asked;
``closed``, until when nobody calls.
"""

GRANTED, SPENT, PROMISED, UNKNOWN = 1, -1, -2, -3

_CLOCK = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
"""
_KNOWN = """
if redis.call('EXISTS', KEYS[2]) == 0 then return -3 end
"""
_PROMISES = """
for _, reply in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now)) do
  redis.call('HDEL', KEYS[4], reply)
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
local answers, promised, frames = 0, 0, 0
local all = redis.call('HGETALL', KEYS[4])
for i = 2, #all, 2 do
  if all[i - 1] ~= mine then
    local calls, rate = string.match(all[i], '^(%d+):(.+)$')
    answers, promised, frames = answers + 1, promised + calls, frames + rate
  end
end
"""

# KEYS: month, sure, promises, promised, given, line, asked, closed
# ARGV: 1 ticket (calls:process:number), 2 weight, 3 calls of the window, 4 purpose, 5 calls allowed, 6 in so many
# microseconds, 7 reserve, 8 microseconds after which who did not ask has left, 9 quota, 10 its limit, 11 field
# → UNKNOWN, or {GRANTED, 0}, {SPENT, 0}, {PROMISED, 0}, {0, microseconds to wait}
TAKE = (
    _CLOCK
    + _KNOWN
    + """
local mine = ''
local ticket, weight, calls, reserve = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[7])
local window = tonumber(ARGV[6])
if redis.call('ZSCORE', KEYS[5], ticket .. ':1') then return {1, 0} end  -- given already; the answer was lost
if ARGV[9] ~= '' then
  local left = ARGV[10] - (redis.call('HGET', KEYS[1], ARGV[9]) or 0)
  local kept = 0
  if ARGV[9] == 'calls' and ARGV[4] ~= 'final' then
"""
    + _PROMISES
    + """
    kept = promised
  end
  if left < weight + kept then
    redis.call('ZREM', KEYS[6], ticket)
    redis.call('ZREM', KEYS[7], ticket)
    if ARGV[4] == 'frame' and left >= weight then return {-2, 0} end
    return {-1, 0}
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - window)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', now - ARGV[8])) do
  redis.call('ZREM', KEYS[6], gone)
  redis.call('ZREM', KEYS[7], gone)
end
local ahead = 0
for _, other in ipairs(redis.call('ZRANGE', KEYS[6], 0, -1)) do
  if other == ticket then break end
  ahead = ahead + string.match(other, '^%d+')
end
local given = redis.call('ZCARD', KEYS[5])
local missing = ahead + calls + reserve - (ARGV[5] - given)
local wait = math.max(0, (redis.call('GET', KEYS[8]) or 0) - now)
if missing > 0 then
  local free_at = now + 20000
  if given > 0 then
    local nth = math.min(missing, given) - 1
    free_at = redis.call('ZRANGE', KEYS[5], nth, nth, 'WITHSCORES')[2] + window
  end
  wait = math.max(wait, free_at - now, 1000)
end
if wait > 0 then
  if reserve == 0 then
    redis.call('ZADD', KEYS[6], 'NX', now, ticket)
    redis.call('ZADD', KEYS[7], now, ticket)
    redis.call('PEXPIRE', KEYS[6], 60000)
    redis.call('PEXPIRE', KEYS[7], 60000)
  end
  return {0, wait}
end
for i = 1, calls do redis.call('ZADD', KEYS[5], now, ticket .. ':' .. i) end
redis.call('PEXPIRE', KEYS[5], math.ceil(window / 1000))
redis.call('ZREM', KEYS[6], ticket)
redis.call('ZREM', KEYS[7], ticket)
if ARGV[9] ~= '' then
  redis.call('HINCRBY', KEYS[1], ARGV[11], weight)
  redis.call('HINCRBY', KEYS[1], ARGV[9], weight)
end
return {1, 0}
"""
)

# KEYS: month, sure, closed. ARGV: microseconds, field, times
THROTTLED = (
    _CLOCK
    + _KNOWN
    + """
redis.call('SET', KEYS[3], now + ARGV[1], 'PX', math.ceil(ARGV[1] / 1000))
redis.call('HINCRBY', KEYS[1], ARGV[2], ARGV[3])
return 1
"""
)

# KEYS: month, sure, promises, promised. ARGV: limit, reply, calls, frames a second, microseconds. → 1, or 0: spent
PROMISE = (
    _CLOCK
    + _KNOWN
    + "local mine = ARGV[2]"
    + _PROMISES
    + """
if (redis.call('HGET', KEYS[1], 'calls') or 0) + promised + ARGV[3] > tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[3], now + ARGV[5], ARGV[2])
redis.call('HSET', KEYS[4], ARGV[2], ARGV[3] .. ':' .. ARGV[4])
return 1
"""
)

# KEYS: promises, promised. ARGV: reply
RELEASE = """
redis.call('ZREM', KEYS[1], ARGV[1])
return redis.call('HDEL', KEYS[2], ARGV[1])
"""

# KEYS: month, sure, promises, promised. → {counters, answers, promised calls, frames a second as text}
READ = (
    _CLOCK
    + _KNOWN
    + "local mine = ''"
    + _PROMISES
    + """
return {redis.call('HGETALL', KEYS[1]), answers, promised, tostring(frames)}
"""
)

# KEYS: month, sure. ARGV: field, quota or '', how many; and so on
ADD = (
    _KNOWN
    + """
for i = 1, #ARGV, 3 do
  redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 2])
  if ARGV[i + 1] ~= '' then redis.call('HINCRBY', KEYS[1], ARGV[i + 1], ARGV[i + 2]) end
end
return 1
"""
)

# KEYS: month, sure. ARGV: seconds to be sure, seconds to keep; then as above, at least so many
RAISE = """
for i = 3, #ARGV, 3 do
  local more = ARGV[i + 2] - (redis.call('HGET', KEYS[1], ARGV[i]) or 0)
  if more > 0 then
    redis.call('HINCRBY', KEYS[1], ARGV[i], more)
    if ARGV[i + 1] ~= '' then redis.call('HINCRBY', KEYS[1], ARGV[i + 1], more) end
  end
end
redis.call('HINCRBY', KEYS[1], 'calls', 0)
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], '1', 'EX', ARGV[1])
return 1
"""
