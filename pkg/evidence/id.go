package evidence

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// ID derives the id of a fact from its kind and its natural key: what the
// source itself would call it (cluster, uid, revision number), never when or by
// whom it was read. Parts are length-prefixed, so that ("ab","c") and ("a","bc")
// differ.
func ID(kind Kind, key ...string) string {
	h := sha256.New()
	for _, part := range append([]string{string(kind)}, key...) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return "ev1:" + hex.EncodeToString(h.Sum(nil)[:16])
}
