-- GCRA for all shared limits of one request, in one step: either every limit is charged or none.
--
-- KEYS: the set of gateways, and of each limit the key of its theoretical arrival time. ARGV: of each limit the time in which one request is
-- allowed (microseconds), the burst, and 1 when it only counts and refuses nobody. The time is the server's, so the
-- clocks of gateways do not matter.
--
-- Answers how many gateways live, and two numbers for each limit: 1 and what remains, or 0 and the microseconds to wait.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
-- Whoever asks lives, also when the set was lost and nobody has spoken since.
local gateways = math.max(1, redis.call('ZCARD', KEYS[1]))
local answer, arrivals, refused = { gateways }, {}, false

for i = 1, #KEYS - 1 do
  local key = KEYS[i + 1]
  local interval, burst = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  local full = interval * burst
  -- An arrival lies between now, where nothing is taken, and the time in which the whole burst is given back. One
  -- that does not was written for another rate, or before the server's clock was set back.
  local arrival = tonumber(redis.call('GET', key) or now)
  arrival = math.min(math.max(arrival, now), now + full)
  local wait = arrival + interval - full - now
  if wait > 0 then
    answer[2 * i], answer[2 * i + 1] = 0, math.ceil(wait)
    refused = refused or ARGV[3 * i] ~= '1'
  else
    -- The epsilon is for the last bit of a sum of fractions.
    answer[2 * i], answer[2 * i + 1] = 1, math.floor((full - arrival + now) / interval - 1 + 0.0001)
    arrivals[i] = arrival + interval
  end
end

if not refused then
  for i, arrival in pairs(arrivals) do
    redis.call('SET', KEYS[i + 1], string.format('%.3f', arrival), 'PX', math.ceil((arrival - now) / 1000))
  end
end
return answer
