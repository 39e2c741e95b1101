package cursor

import (
	"encoding/base64"
	"fmt"
)

// MaxTold bounds the facts of a Told that is kept: 100,000, which is 4.3 MB in the
// file.
const MaxTold = 100_000

// Told remembers of facts that may come again in a poorer form (a rollout) in
// which form they were told last: by the hash of the id, the hash of the news.
// Unlike Seen it outlives the runs that no longer find the fact, since a source
// that has forgotten when something began may bring it up again much later. A
// nil Told is empty and may be read. It is used by one goroutine at a time.
type Told struct {
	order []Hash
	last  map[Hash]Hash
}

// Last gives the news that was told last of a fact; ok is false when nothing
// was. A fact that was only ever told weakly has the zero Hash.
func (t *Told) Last(id Hash) (news Hash, ok bool) {
	if t == nil {
		return Hash{}, false
	}
	news, ok = t.last[id]
	return news, ok
}

// Put notes what was told of a fact.
func (t *Told) Put(id, news Hash) {
	if t.last == nil {
		t.last = map[Hash]Hash{}
	}
	if _, ok := t.last[id]; !ok {
		t.order = append(t.order, id)
	}
	t.last[id] = news
}

// Len counts the facts.
func (t *Told) Len() int {
	if t == nil {
		return 0
	}
	return len(t.order)
}

// Followed returns what t knows and what was found after it, the n facts that
// were found last. Neither is changed.
func (t *Told) Followed(found *Told, n int) *Told {
	var ids []Hash // the one that was not found for longest first
	if t != nil {
		for _, id := range t.order {
			if _, again := found.Last(id); !again {
				ids = append(ids, id)
			}
		}
	}
	if found != nil {
		ids = append(ids, found.order...)
	}
	all := &Told{}
	for _, id := range ids[max(0, len(ids)-n):] {
		news, ok := found.Last(id)
		if !ok {
			news = t.last[id]
		}
		all.Put(id, news)
	}
	return all
}

// MarshalText writes the facts, the one that was not found for longest first, in
// base64.
func (t *Told) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, 2*t.Len()*len(Hash{}))
	for _, id := range t.order {
		news := t.last[id]
		raw = append(append(raw, id[:]...), news[:]...)
	}
	return base64.StdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText reads what MarshalText wrote.
func (t *Told) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	size := len(Hash{})
	switch {
	case err != nil:
		return fmt.Errorf("the facts that were told are not base64: %w", err)
	case len(raw)%(2*size) != 0 || len(raw)/(2*size) > MaxTold:
		return fmt.Errorf("the facts that were told have %d bytes, which is no multiple of %d or too many", len(raw), 2*size)
	}
	*t = Told{}
	for ; len(raw) > 0; raw = raw[2*size:] {
		t.Put(Hash(raw[:size]), Hash(raw[size:2*size]))
	}
	return nil
}
