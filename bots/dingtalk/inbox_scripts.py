"""The Lua of the inbox. Each may be run twice for one call, as after a lost answer, and has its effect once.

Keys: ``seen:message``, who accepted it, or ``done``; ``queue:conversation``, a list of (message id, payload);
``lease:conversation``, its owner; ``head:conversation``, of the first message in the queue: ``owner`` who took it last
and ``attempt`` how often; ``waiting``, a sorted set of conversations that have messages.
"""

FULL = -1

# KEYS: seen, queue, waiting. ARGV: this call, seconds to remember, most that wait, message id, payload, conversation
ACCEPT = """
local seen = redis.call('GET', KEYS[1])
if seen then return seen == ARGV[1] and 1 or 0 end
if redis.call('LLEN', KEYS[2]) >= tonumber(ARGV[3]) then return -1 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('RPUSH', KEYS[2], cmsgpack.pack(ARGV[4], ARGV[5]))
local t = redis.call('TIME')
redis.call('ZADD', KEYS[3], 'NX', t[1] * 1000000 + t[2], ARGV[6])
return 1
"""

_IS_AT = """
local holder = redis.call('GET', KEYS[2])
local is_at = holder == ARGV[1] or (not holder and redis.call('HGET', KEYS[3], 'owner') == ARGV[1])
"""

# These have KEYS: queue, lease, head, waiting. ARGV: owner, milliseconds of the lease, conversation, …
TAKE = """
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return false end
local first = redis.call('LINDEX', KEYS[1], 0)
if not first then
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('ZREM', KEYS[4], ARGV[3])
  return false
end
if not holder or redis.call('HEXISTS', KEYS[3], 'owner') == 0 then redis.call('HINCRBY', KEYS[3], 'attempt', 1) end
redis.call('HSET', KEYS[3], 'owner', ARGV[1])
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
local message, payload = cmsgpack.unpack(first)
return {message, payload, tonumber(redis.call('HGET', KEYS[3], 'attempt'))}
"""

# And KEYS: seen. Where nobody holds or held the message, and it is not done, Redis has forgotten all about it.
BEAT = """
local who = redis.call('GET', KEYS[2]) or redis.call('HGET', KEYS[3], 'owner')
if who and who ~= ARGV[1] then return 0 end
if not who and redis.call('GET', KEYS[5]) == 'done' then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
"""

# And KEYS: seen. ARGV: message id, seconds to remember
DONE = (
    _IS_AT
    + """
if redis.call('GET', KEYS[5]) == 'done' then return 1 end
local first = redis.call('LINDEX', KEYS[1], 0)
if not is_at or not first or cmsgpack.unpack(first) ~= ARGV[4] then return 0 end
redis.call('LPOP', KEYS[1])
redis.call('DEL', KEYS[3])
redis.call('SET', KEYS[5], 'done', 'EX', ARGV[5])
if redis.call('LLEN', KEYS[1]) > 0 then
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
else
  redis.call('DEL', KEYS[2])
  redis.call('ZREM', KEYS[4], ARGV[3])
end
return 1
"""
)

GIVE_BACK = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if redis.call('HDEL', KEYS[3], 'owner') == 1 then redis.call('HINCRBY', KEYS[3], 'attempt', -1) end
return 1
"""

# Its only key is that of the conversations with messages.
BUSY = "return redis.call('ZRANGE', KEYS[1], 0, -1)"

# KEYS: waiting. ARGV: how the names of leases begin
UNATTENDED = """
local free = {}
for _, conversation in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if redis.call('EXISTS', ARGV[1] .. conversation) == 0 then free[#free + 1] = conversation end
end
return free
"""
