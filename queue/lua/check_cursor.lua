#!lua flags=no-writes
-- Whether reading the journal on from a cursor misses nothing.
--
-- KEYS[1]  journal   KEYS[2]  head
-- ARGV[1]  epoch     ARGV[2]  SEQ    ARGV[3]  id of the entry there
--
-- Returns {'ok', 1} or {'ok', 0}.

local journal, head = KEYS[1], KEYS[2]
local epoch, seq, id = ARGV[1], ARGV[2], ARGV[3]

return {'ok', journal_reaches(journal, head, epoch, seq, id) and 1 or 0}
