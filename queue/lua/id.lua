-- Fragment: message ids. message_id(class, seq, tail) is the class, the SEQ as
-- seven base62 digits and a random tail, which is why an ack or a question for
-- the status finds its message without an index.

local ID_DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

local function message_id(class, seq, tail)
  local out = ''
  while seq > 0 do
    local digit = seq % 62
    out = string.sub(ID_DIGITS, digit + 1, digit + 1) .. out
    seq = (seq - digit) / 62
  end
  return class .. string.rep('0', 7 - #out) .. out .. tail
end
