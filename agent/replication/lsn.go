package replication

import (
	"fmt"
	"strconv"
	"strings"
)

// LSN is a position in PostgreSQL's write-ahead log: the bytes written before
// it since the cluster was made. The zero value stands for no position.
type LSN uint64

// ParseLSN reads PostgreSQL's own notation, such as "16/B374D848": the upper
// and the lower 32 bits in hexadecimal.
func ParseLSN(s string) (LSN, error) {
	upper, lower, found := strings.Cut(s, "/")
	if found {
		hi, errHi := strconv.ParseUint(upper, 16, 32)
		lo, errLo := strconv.ParseUint(lower, 16, 32)
		if errHi == nil && errLo == nil {
			return LSN(hi<<32 | lo), nil
		}
	}
	return 0, fmt.Errorf("%q is no LSN, want two hexadecimal numbers as in 16/B374D848", s)
}

// String returns PostgreSQL's own notation.
func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) }

// since returns the bytes from an earlier position to l; a later one counts as
// none.
func (l LSN) since(earlier LSN) uint64 {
	if earlier >= l {
		return 0
	}
	return uint64(l - earlier)
}

// Layout of the write-ahead log, fixed when PostgreSQL is compiled.
const (
	walBlock    = 8192
	shortHeader = 24 // of each block
	longHeader  = 40 // of the first block of each segment
)

// settled moves an insert position that stands right behind a block's header
// to the end of the block before. That is where the last record ended, and
// where a replica that has replayed everything stands: without it, an idle
// primary on a block's boundary would look ahead of its replicas for ever. No
// record can end there, so nothing else is moved. segment is the size of a WAL
// segment in bytes; 0 if unknown.
func (l LSN) settled(segment uint64) LSN {
	switch within := uint64(l) % walBlock; {
	case within == shortHeader && l > shortHeader:
		return l - shortHeader
	case within == longHeader && segment > 0 && (uint64(l)-longHeader)%segment == 0 && l > longHeader:
		return l - longHeader
	}
	return l
}
