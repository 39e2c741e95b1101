package oci

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// cacheForm is part of every key: what is kept in another form is read anew.
const cacheForm = "1"

// cache keeps what images say by their digest, for ever: what a digest names never
// changes. What the keys verified is apart for each set of keys.
type cache struct {
	store Store
	keys  string
}

func newCache(store Store, prints []string) cache {
	c := cache{store: store, keys: "none"}
	if len(prints) > 0 {
		prints = slices.Compact(slices.Sorted(slices.Values(prints)))
		c.keys = digestOf("sha256", []byte(strings.Join(prints, ",")))[len("sha256:"):][:16]
	}
	return c
}

func (c cache) key(kind, digest string) string {
	return strings.Join([]string{kind, cacheForm, c.keys, digest}, "/")
}

func (c cache) get(digest string) (kept, bool) {
	var k kept
	if c.store == nil || digest == "" {
		return k, false
	}
	value, ok := c.store.Get(c.key("image", digest))
	if !ok || json.Unmarshal(value, &k) != nil {
		return kept{}, false
	}
	return k, true
}

// put keeps what belongs to the digest. How it was asked for is filled in later.
func (c cache) put(digest string, k kept) {
	if c.store == nil || digest == "" {
		return
	}
	if value, err := json.Marshal(k); err == nil {
		c.store.Put(c.key("image", digest), value)
	}
}

func (c cache) unsignedKey(digest string, day time.Time) string {
	return c.key("unsigned", digest) + "/" + day.UTC().Format(time.DateOnly)
}

// unsigned reports whether on this day there was no signed provenance.
func (c cache) unsigned(digest string, now time.Time) bool {
	if c.store == nil {
		return true
	}
	_, ok := c.store.Get(c.unsignedKey(digest, now))
	return ok
}

func (c cache) putUnsigned(digest string, now time.Time) {
	if c.store != nil {
		c.store.Put(c.unsignedKey(digest, now), []byte("true"))
	}
}
