package kubernetes

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rcactl/rcactl/pkg/connector"
	"github.com/rcactl/rcactl/pkg/record"
)

// stateVersion changes when an older program could misread the state. Version 1
// had no numbers of replicas, no starts and no label; versions 1 and 2 were JSON
// and knew workloads only.
const stateVersion = 3

// maxRemembered is how many bytes of state an object may take, on average, and
// smallState what all may take however few they are.
const (
	maxRemembered = 200
	smallState    = 16 << 10
)

// forgetAfter is how long a look is kept that no run compares with any more,
// because the config does not name its namespace or its stream: a narrower run
// may lie between two wide ones.
const forgetAfter = 30 * 24 * time.Hour

// state is what the next look is compared with: the objects that were there. A
// namespace and kind that could not be listed in full keeps its older look.
//
// Its text is a line of JSON, then for each look a line "=KIND TAB NAMESPACE TAB
// TIME", and below it a line for each object: "UID TAB NAME TAB SERVICE TAB
// FACTS". It is not JSON as a whole because there are many objects, and most of
// them are only looked up.
type state struct {
	stateHead
	text  string
	looks []look
	index map[string]stateLine // by packed uid
}

// stateHead is the first line of a state.
type stateHead struct {
	Version int `json:"version"`
	// Cluster is the label of service keys.
	Cluster string `json:"cluster,omitempty"`
	// Chosen are keys of the objects that a label selector took; empty without one.
	Chosen []string `json:"chosen,omitempty"`
}

// look is one kind in one namespace, listed in full.
type look struct {
	kind, namespace string
	// at is when the list was begun: what was seen was still there then.
	at time.Time
	// begin and end bound its lines in the text; objects counts them.
	begin, end, objects int
}

// stateLine is a line of the text and the look that it belongs to.
type stateLine struct{ look, begin, end int32 }

// known is an object as an earlier look remembers it.
type known struct {
	Kind, Namespace, Name, UID string
	// Service is empty when it was not known.
	Service string
	// At is when the list that saw it was begun.
	At time.Time
	// Facts is what the family handed over, facts or brief; nil for nothing. It is
	// not checked to be JSON.
	Facts json.RawMessage
}

// object names what is known.
func (k known) object(cluster string) record.Object {
	return record.Object{Cluster: cluster, Kind: k.Kind, Namespace: k.Namespace, Name: k.Name, UID: k.UID}
}

// errNotState says that something of a state is not as it should be.
var errNotState = errors.New("not the form of a state")

// readState reads what Collect gave out before; nil gives an empty state.
func readState(raw []byte) (state, error) {
	if raw == nil {
		return state{stateHead: stateHead{Version: stateVersion}}, nil
	}
	st, err := parseState(raw)
	if err != nil {
		return state{}, connector.Errorf(connector.ClassConfig, err,
			"the state of the last run is not one of this version of rcactl; remove the cursor of this connector to start anew")
	}
	return st, nil
}

func parseState(raw []byte) (state, error) {
	head, _, _ := bytes.Cut(raw, []byte("\n"))
	var st state
	if err := json.Unmarshal(head, &st.stateHead); err != nil {
		return state{}, err
	}
	switch st.Version {
	case 1, 2:
		upgraded, err := upgradeState(raw)
		if err != nil {
			return state{}, err
		}
		raw = upgraded
	case stateVersion:
	default:
		return state{}, errNotState
	}
	err := st.parse(string(raw))
	return st, err
}

// parse finds the lines.
func (st *state) parse(text string) error {
	st.Version, st.text = stateVersion, text
	// An object takes no fewer bytes than this in practice; the map grows if it does.
	st.index = make(map[string]stateLine, len(text)/64)
	at := strings.IndexByte(text, '\n') + 1
	if at == 0 {
		return errNotState
	}
	for at < len(text) {
		n := strings.IndexByte(text[at:], '\n')
		if n < 0 {
			return errNotState // cut off
		}
		if line := text[at : at+n]; strings.HasPrefix(line, "=") {
			l, err := parseLook(line[1:])
			if err != nil {
				return err
			}
			l.begin, l.end = at+n+1, at+n+1
			st.looks = append(st.looks, l)
		} else {
			uid, _, found := strings.Cut(line, "\t")
			if !found || uid == "" || len(st.looks) == 0 || strings.Count(line, "\t") < 3 {
				return errNotState
			}
			l := &st.looks[len(st.looks)-1]
			l.end = at + n + 1
			l.objects++
			st.index[uid] = stateLine{int32(len(st.looks) - 1), int32(at), int32(at + n)} //nolint:gosec // a state has at most 32 MiB
		}
		at += n + 1
	}
	return nil
}

func parseLook(line string) (look, error) {
	kind, rest, _ := strings.Cut(line, "\t")
	namespace, stamp, _ := strings.Cut(rest, "\t")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil || kind == "" {
		return look{}, errNotState
	}
	return look{kind: kind, namespace: namespace, at: at.UTC()}, nil
}

// upgradeState makes a state of versions 1 and 2 one of version 3. Their
// workloads are arrays of uid, name, service, desired replicas and starts, of
// which the last two may be missing.
func upgradeState(raw []byte) ([]byte, error) {
	var old struct {
		stateHead
		Looks []struct {
			Namespace string              `json:"namespace"`
			Kind      string              `json:"kind"`
			At        time.Time           `json:"at"`
			Seen      [][]json.RawMessage `json:"seen"`
		} `json:"looks"`
	}
	if err := json.Unmarshal(raw, &old); err != nil {
		return nil, err
	}
	text, err := old.line()
	if err != nil {
		return nil, err
	}
	for _, l := range old.Looks {
		text = appendLook(text, l.Kind, l.Namespace, l.At)
		for _, s := range l.Seen {
			if len(s) < 3 || len(s) > 5 {
				return nil, errNotState
			}
			var uid, name, service string
			for i, into := range []*string{&uid, &name, &service} {
				if err := json.Unmarshal(s[i], into); err != nil {
					return nil, err
				}
			}
			if !oneLine(uid) || uid == "" || !oneLine(name) || !oneLine(service) {
				return nil, errNotState
			}
			var facts []byte
			if len(s) > 3 {
				facts = append(facts, '[')
				for i, f := range s[3:] {
					if i > 0 {
						facts = append(facts, ',')
					}
					facts = append(facts, f...)
				}
				if facts = append(facts, ']'); bytes.IndexByte(facts, '\n') >= 0 {
					return nil, errNotState
				}
			}
			text = appendObject(text, packUID(uid), name, service, facts)
		}
	}
	return text, nil
}

// line writes the head.
func (h stateHead) line() ([]byte, error) {
	h.Version = stateVersion
	raw, err := json.Marshal(h)
	return append(raw, '\n'), err
}

func appendLook(text []byte, kind, namespace string, at time.Time) []byte {
	text = append(append(append(append(append(text, '='), kind...), '\t'), namespace...), '\t')
	return append(at.UTC().AppendFormat(text, time.RFC3339Nano), '\n')
}

// sameName stands for a service that is called like its object.
const sameName = "="

// appendObject writes the line of an object with a packed uid.
func appendObject(text []byte, uid, name, service string, facts []byte) []byte {
	if service == name && name != "" {
		service = sameName
	}
	text = append(append(append(append(append(text, uid...), '\t'), name...), '\t'), service...)
	return append(append(append(text, '\t'), facts...), '\n')
}

// oneLine says that a field can stand in a line of the state. The API server
// gives no others.
func oneLine(s string) bool { return strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\t') < 0 }

// packed is how long a packed uid is: a mark and 16 bytes in base64.
const packed = 1 + 22

// packUID writes a uid of the API server in fewer bytes, and any other as it is.
func packUID(uid string) string {
	var digits [32]byte
	var b [16]byte
	if len(uid) != 36 || uid[8] != '-' || uid[13] != '-' || uid[18] != '-' || uid[23] != '-' {
		return uid
	}
	n := 0
	for _, part := range []string{uid[:8], uid[9:13], uid[14:18], uid[19:23], uid[24:]} {
		n += copy(digits[n:], part)
	}
	if _, err := hex.Decode(b[:], digits[:]); err != nil || bytes.ContainsAny(digits[:], "ABCDEF") {
		return uid
	}
	return "~" + base64.RawURLEncoding.EncodeToString(b[:])
}

// unpackUID is the reverse of packUID.
func unpackUID(s string) string {
	if len(s) != packed || s[0] != '~' {
		return s
	}
	b, err := base64.RawURLEncoding.DecodeString(s[1:])
	if err != nil {
		return s
	}
	h := hex.EncodeToString(b)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// before gives an object as the last look that was complete saw it.
func (st state) before(uid string) (known, bool) {
	p, ok := st.index[packUID(uid)]
	if !ok {
		return known{}, false
	}
	return st.at(p), true
}

// at reads a line.
func (st state) at(p stateLine) known {
	l := st.looks[p.look]
	uid, rest, _ := strings.Cut(st.text[p.begin:p.end], "\t")
	name, rest, _ := strings.Cut(rest, "\t")
	service, facts, _ := strings.Cut(rest, "\t")
	if service == sameName {
		service = name
	}
	k := known{Kind: l.kind, Namespace: l.namespace, Name: name, UID: unpackUID(uid), Service: service, At: l.at}
	if facts != "" {
		k.Facts = json.RawMessage(facts)
	}
	return k
}

// each goes through the objects of a look.
func (st state) each(look int, yield func(known)) {
	l := st.looks[look]
	for at := l.begin; at < l.end; {
		n := strings.IndexByte(st.text[at:l.end], '\n')
		yield(st.at(stateLine{int32(look), int32(at), int32(at + n)})) //nolint:gosec // a state has at most 32 MiB
		at += n + 1
	}
}

// services finds the service of a workload of the last look by its name. It reads
// the looks when it is first asked.
func (st state) services() func(objectKey) string {
	if len(st.looks) == 0 {
		return nil
	}
	all := sync.OnceValue(func() map[objectKey]string {
		out := map[objectKey]string{}
		for i, l := range st.looks {
			if !slices.ContainsFunc(workloadKinds(), func(k kind) bool { return k.kind == l.kind }) {
				continue
			}
			st.each(i, func(k known) { out[objectKey{k.Kind, k.Namespace, k.Name}] = k.Service })
		}
		return out
	})
	return func(key objectKey) string { return all()[key] }
}

// vanished lists the objects of those kinds that were there at the last look and
// are not any more, in lists that were complete both times.
func (st state) vanished(there func(uid string) bool, looked glances, kinds ...string) []departed {
	var out []departed
	for i, l := range st.looks {
		if !slices.Contains(kinds, l.kind) {
			continue
		}
		g, whole := looked(l.kind, l.namespace)
		if !whole || !g.compares(l.at) {
			continue
		}
		st.each(i, func(k known) {
			if !there(k.UID) {
				out = append(out, departed{k, record.Vanished{After: l.at, Before: g.ended.UTC()}})
			}
		})
	}
	return out
}

// departed is an object that vanished between two looks.
type departed struct {
	known
	between record.Vanished
}
