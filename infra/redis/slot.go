package redis

import (
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// slots is the number of hash slots of any cluster.
const slots = 16384

// Slot is the hash slot of a key or of a sharded channel.
func Slot(name string) int {
	if tag := TagOf(name); len(tag) > len("{}") {
		name = tag[1 : len(tag)-1]
	}
	var crc uint16 // CRC-16/XMODEM
	for i := range len(name) {
		crc ^= uint16(name[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % slots
}

// MovedSlot tells which slot another node owns, if that is what err says.
func MovedSlot(err error) (slot int, ok bool) {
	if err == nil {
		return 0, false
	}
	if _, ok := goredis.IsMovedError(err); !ok {
		return 0, false
	}
	words := strings.Fields(err.Error())
	if len(words) < 2 {
		return 0, false
	}
	slot, err = strconv.Atoi(words[1])
	return slot, err == nil
}
