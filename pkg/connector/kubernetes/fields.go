package kubernetes

import (
	"encoding/binary"
	"hash/maphash"
	"reflect"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rcactl/rcactl/pkg/record"
)

// This file says of which fields a pod template consists, so that two templates
// can be told apart by path. Of a value it keeps a digest under a seed that lives
// as long as one Collect: nothing can be read back, and nothing compared with what
// another run saw.
//
// It walks the protobuf form, which is made for the digest of the whole anyway:
// one table of field numbers does for every template, and fields that a later
// API version adds have their names from the types.

// What may be kept. Names are chosen by whoever may create workloads. A template
// beyond a bound has no fields at all: half of them would look like changes.
const (
	maxTemplateFields = 1000
	maxPathBytes      = 4 << 20 // of all distinct paths of a list
	maxShapeFields    = 1 << 18 // of all distinct sets of paths of a list
	maxFieldDigests   = 1 << 21 // of all templates of a list
)

// layout names the fields of the types that are walked, by their numbers.
type layout struct {
	seed                  maphash.Seed
	meta, pod, container  fieldNames
	metaNumber, podNumber uint64 // in the template
	limits, requests      uint64 // in the resources
}

// fieldNames are fields by number.
type fieldNames []fieldName

type fieldName struct {
	name string
	// plain says that the zero value is written too, and says nothing.
	plain bool
}

func newLayout() *layout {
	template := numbersOf(reflect.TypeFor[corev1.PodTemplateSpec]())
	resources := numbersOf(reflect.TypeFor[corev1.ResourceRequirements]())
	return &layout{
		seed:       maphash.MakeSeed(),
		meta:       namesOf(reflect.TypeFor[metav1.ObjectMeta]()),
		pod:        namesOf(reflect.TypeFor[corev1.PodSpec]()),
		container:  namesOf(reflect.TypeFor[corev1.Container]()),
		metaNumber: template["metadata"], podNumber: template["spec"],
		limits: resources["limits"], requests: resources["requests"],
	}
}

// numbersOf reads the protobuf numbers of a type from its tags.
func numbersOf(t reflect.Type) map[string]uint64 {
	numbers := map[string]uint64{}
	for i := range t.NumField() {
		tag := strings.Split(t.Field(i).Tag.Get("protobuf"), ",")
		if len(tag) < 2 {
			continue
		}
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if n, err := strconv.ParseUint(tag[1], 10, 16); err == nil {
			numbers[name] = n
		}
	}
	return numbers
}

func namesOf(t reflect.Type) fieldNames {
	numbers := numbersOf(t)
	var names fieldNames
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		n, ok := numbers[name]
		if !ok {
			continue
		}
		for uint64(len(names)) <= n {
			names = append(names, fieldName{})
		}
		kind := t.Field(i).Type.Kind()
		names[n] = fieldName{name: name, plain: kind != reflect.Pointer && kind != reflect.Slice && kind != reflect.Map}
	}
	return names
}

// of names a field; ok is false for one that says nothing.
func (f fieldNames) of(number uint64, value []byte) (string, bool) {
	if number >= uint64(len(f)) || f[number].name == "" {
		return "", true // a field that the types do not know
	}
	if f[number].plain && (len(value) == 0 || len(value) == 1 && value[0] == 0) {
		return "", false
	}
	return f[number].name, true
}

// templateReader reads the fields of the templates of one list.
type templateReader struct {
	*layout
	claims             *claimReader // nil for none
	template, raw, key []byte       // scratch
	// ids are the paths that were met, and names what they are; used says at
	// which spot of the present template a path stands.
	ids   map[string]int32
	names []string
	used  []spot
	turn  int32
	// of the present template
	fields  []int32
	digests []uint64
	full    bool
	// shapes are sets of paths, which templates share.
	shapes map[uint64][]string
	// what was kept so far
	pathBytes, shapeFields, kept int
	// left counts templates beyond a bound.
	left int
}

type spot struct{ turn, at int32 }

func newTemplateReader(l *layout) *templateReader {
	return &templateReader{layout: l, ids: map[string]int32{}, shapes: map[uint64][]string{}}
}

// marshal writes a template, maps in the order of their keys. The bytes are good
// until the next one.
func (r *templateReader) marshal(t *corev1.PodTemplateSpec) []byte {
	size := t.Size()
	if cap(r.template) < size {
		r.template = make([]byte, 2*size)
	}
	n, err := t.MarshalToSizedBuffer(r.template[:size])
	if err != nil || n > size {
		return nil // cannot happen for what was just decoded; no digest equals none
	}
	return r.template[size-n : size]
}

// read gives the fields of a template in protobuf.
func (r *templateReader) read(raw []byte) record.Fields {
	r.turn++
	r.fields, r.digests, r.full = r.fields[:0], r.digests[:0], false
	eachField(raw, func(number uint64, value []byte, _ bool) {
		switch number {
		case r.metaNumber:
			r.readMeta(value)
		case r.podNumber:
			r.readPod(value)
		}
	})
	if r.full || len(r.fields) == 0 || r.kept+len(r.fields) > maxFieldDigests {
		r.left++
		return record.Fields{}
	}
	shape := r.shape()
	if shape == nil {
		r.left++
		return record.Fields{}
	}
	r.kept += len(r.fields)
	return record.Fields{Paths: shape, Digests: append(make([]uint64, 0, len(r.digests)), r.digests...)}
}

func (r *templateReader) readMeta(meta []byte) {
	eachField(meta, func(number uint64, value []byte, _ bool) {
		name, ok := r.meta.of(number, value)
		switch {
		case !ok:
		case name == "labels" || name == "annotations":
			r.put(value, named(value, isMetadataKey), "metadata.", name)
		default:
			r.put(value, nil, "metadata")
		}
	})
}

func (r *templateReader) readPod(pod []byte) {
	eachField(pod, func(number uint64, value []byte, _ bool) {
		name, ok := r.pod.of(number, value)
		switch {
		case !ok, name == "serviceAccount": // that is serviceAccountName once more
		case name == "":
			r.put(value, nil, "spec")
		case name == "containers" || name == "initContainers":
			r.readContainer(name, value)
		case name == "volumes":
			r.put(value, named(value, isLabelName), "spec.", name)
		default:
			r.put(value, nil, "spec.", name)
		}
	})
}

func (r *templateReader) readContainer(list string, container []byte) {
	which := ""
	if name := named(container, isLabelName); name != nil {
		which = "[" + string(name) + "]"
	}
	eachField(container, func(number uint64, value []byte, _ bool) {
		name, ok := r.container.of(number, value)
		switch {
		case !ok, name == "name":
		case name == "":
			r.put(value, nil, "spec.", list, which)
		case name == "env":
			r.put(value, named(value, isEnvName), "spec.", list, which, ".env")
		case name == "resources":
			r.readResources(list, which, value)
		default:
			r.put(value, nil, "spec.", list, which, ".", name)
		}
	})
}

func (r *templateReader) readResources(list, which string, resources []byte) {
	eachField(resources, func(number uint64, value []byte, _ bool) {
		var name string
		switch number {
		case r.limits:
			name = ".resources.limits"
		case r.requests:
			name = ".resources.requests"
		default:
			r.put(value, nil, "spec.", list, which, ".resources")
			return
		}
		if word := named(value, isLowerWord); word != nil {
			r.put(value, nil, "spec.", list, which, name, ".", string(word))
			return
		}
		r.put(value, named(value, isMetadataKey), "spec.", list, which, name)
	})
}

// named gives the name of an element or the key of an entry, which is field 1 and
// comes first. It is nil for one that does not follow the rules: the field is then
// told by its parent.
func named(element []byte, ok func([]byte) bool) []byte {
	tag, n := binary.Uvarint(element)
	if n <= 0 || tag != 1<<3|2 {
		return nil
	}
	size, m := binary.Uvarint(element[n:])
	if m <= 0 {
		return nil
	}
	if rest := element[n+m:]; size <= uint64(len(rest)) && ok(rest[:size]) {
		return rest[:size]
	}
	return nil
}

// put notes a value under a path, which ends with a name in brackets unless that
// is nil. Values with the same path, such as the elements of a list, become one
// digest.
func (r *templateReader) put(value, name []byte, parts ...string) {
	if r.full {
		return
	}
	r.key = r.key[:0]
	for _, part := range parts {
		r.key = append(r.key, part...)
	}
	if name != nil {
		r.key = append(append(append(r.key, '['), name...), ']')
	}
	digest := maphash.Bytes(r.seed, value)
	id, ok := r.ids[string(r.key)]
	if !ok {
		if r.pathBytes += len(r.key); r.pathBytes > maxPathBytes {
			r.full = true
			return
		}
		id = int32(len(r.names)) //nolint:gosec // bounded by maxPathBytes
		path := string(r.key)
		r.ids[path] = id
		r.names, r.used = append(r.names, path), append(r.used, spot{})
	}
	if at := r.used[id]; at.turn == r.turn {
		const spread = 0x9E3779B97F4A7C15
		r.digests[at.at] = r.digests[at.at]*spread + digest
		return
	}
	if len(r.fields) == maxTemplateFields {
		r.full = true
		return
	}
	r.used[id] = spot{r.turn, int32(len(r.fields))} //nolint:gosec // at most maxTemplateFields
	r.fields, r.digests = append(r.fields, id), append(r.digests, digest)
}

// shape gives the paths of the present template, the same slice for all that have
// the same ones; nil when there are too many sets.
func (r *templateReader) shape() []string {
	r.raw = r.raw[:0]
	for _, id := range r.fields {
		r.raw = binary.LittleEndian.AppendUint32(r.raw, uint32(id)) //nolint:gosec // an index
	}
	key := maphash.Bytes(r.seed, r.raw)
	known, ok := r.shapes[key]
	if ok && r.spells(known) {
		return known
	}
	if r.shapeFields += len(r.fields); r.shapeFields > maxShapeFields {
		return nil
	}
	paths := make([]string, len(r.fields))
	for i, id := range r.fields {
		paths[i] = r.names[id]
	}
	r.shapes[key] = paths
	return paths
}

func (r *templateReader) spells(paths []string) bool {
	if len(paths) != len(r.fields) {
		return false
	}
	for i, id := range r.fields {
		if paths[i] != r.names[id] {
			return false
		}
	}
	return true
}
