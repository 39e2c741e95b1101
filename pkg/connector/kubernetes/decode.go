package kubernetes

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"reflect"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

// errWrongKind says that an answer is not what was asked for: a web page, a
// Status, another kind, or an object that does not say what it is. client-go
// would take most of these for an empty list.
var errWrongKind = errors.New("the answer does not declare the kind that was asked for")

// errTooMany says that an answer holds far more than was asked for.
var errTooMany = errors.New("the answer holds more than was asked for")

// What a page may hold. A server may go beyond the limit a little (the watch
// cache of older ones does not know it), but decoding takes hundreds of bytes
// for an empty object of two, so that counting comes first.
const (
	extraItems      = 100
	baseElements    = 100_000
	elementsPerItem = 500
	// textElement is how much text counts as one element: text cannot be told
	// from a message for sure.
	textElement = 128
	// maxDepth is deeper than any list in the API types that are read.
	maxDepth = 16
)

// protobufMagic stands before every object in protobuf.
const protobufMagic = "k8s\x00"

// codecs decodes answers of the few types that are read.
type codecs struct {
	serializer.CodecFactory
	scheme         *runtime.Scheme
	json, protobuf runtime.Decoder
}

// newCodecs knows the few types that are read: the whole list of client-go's
// clientset would cost every start of the program.
func newCodecs(kinds []kind) (*codecs, error) {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(corev1.SchemeGroupVersion, &corev1.Namespace{}, &corev1.Secret{})
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	for _, k := range kinds {
		if k.accept != asMetadata {
			for _, version := range append([]string{k.version}, k.versions...) {
				scheme.AddKnownTypeWithName(schema.GroupVersionKind{Group: k.group, Version: version, Kind: k.kind + "List"}, k.page())
			}
		}
	}
	scheme.AddKnownTypes(authorizationv1.SchemeGroupVersion, &authorizationv1.SelfSubjectAccessReview{})
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		return nil, err
	}
	c := &codecs{CodecFactory: serializer.NewCodecFactory(scheme), scheme: scheme}
	for _, info := range c.SupportedMediaTypes() {
		switch info.MediaType {
		case runtime.ContentTypeJSON:
			c.json = info.Serializer
		case runtime.ContentTypeProtobuf:
			c.protobuf = info.Serializer
		}
	}
	if c.json == nil || c.protobuf == nil {
		return nil, errors.New("no decoder for JSON or protobuf")
	}
	return c, nil
}

// decode reads body into obj. The body itself must declare obj's kind: what the
// header calls it says little, and a default would make anything a list. limit
// is how many items were asked for.
func (c *codecs) decode(body []byte, limit int, obj runtime.Object) error {
	decoder, count := c.json, countJSON
	if bytes.HasPrefix(body, []byte(protobufMagic)) {
		decoder, count = c.protobuf, countProtobuf
	}
	items, elements, err := count(body)
	if err != nil {
		return err
	}
	if items > 2*limit+extraItems || elements > baseElements+elementsPerItem*limit {
		return errTooMany
	}
	want, _, err := c.scheme.ObjectKinds(obj)
	if err != nil {
		return err
	}
	got, declared, err := decoder.Decode(body, nil, nil)
	switch {
	case declared == nil || runtime.IsNotRegisteredError(err) || runtime.IsMissingKind(err) || runtime.IsMissingVersion(err):
		return errors.Join(errWrongKind, err)
	case err != nil:
		return err
	case !slices.Contains(want, *declared) || reflect.TypeOf(got) != reflect.TypeOf(obj):
		return errWrongKind
	}
	reflect.ValueOf(obj).Elem().Set(reflect.ValueOf(got).Elem())
	return nil
}

// countJSON counts the items of a list in JSON, and the elements of all its
// arrays. It keeps nothing of them.
func countJSON(body []byte) (items, elements int, err error) {
	var envelope struct {
		Kind       string     `json:"kind"`
		APIVersion string     `json:"apiVersion"`
		Items      []struct{} `json:"items"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return 0, 0, errors.Join(errWrongKind, err)
	}
	if envelope.Kind == "" || envelope.APIVersion == "" {
		return 0, 0, errWrongKind
	}
	return len(envelope.Items), countElements(body), nil
}

// tooManyParts says of an object of a recording what decode says of a page: it
// would take far more memory than it has bytes. An element takes two of them.
func tooManyParts(object []byte) bool {
	return len(object) > 2*baseElements && countElements(object) > baseElements
}

// countElements counts the elements of arrays in valid JSON.
func countElements(body []byte) int {
	var open []byte // the brackets that are open
	n, inText := 0, false
	for i := 0; i < len(body); i++ {
		switch b := body[i]; {
		case inText && b == '\\':
			i++
		case b == '"':
			inText = !inText
		case inText:
		case b == '[':
			n++ // its first element
			open = append(open, b)
		case b == '{':
			open = append(open, b)
		case (b == ']' || b == '}') && len(open) > 0:
			open = open[:len(open)-1]
		case b == ',' && len(open) > 0 && open[len(open)-1] == '[':
			n++
		}
	}
	return n
}

// countProtobuf counts the items of a list in protobuf, and the repetitions of
// fields at all depths. Items are field 2 of every list type, the list is field
// 2 of the envelope.
func countProtobuf(body []byte) (items, elements int, err error) {
	body = body[len(protobufMagic):]
	eachField(body, func(number uint64, list []byte, long bool) {
		if number == 2 && long {
			eachField(list, func(number uint64, _ []byte, _ bool) {
				if number == 2 {
					items++
				}
			})
		}
	})
	return items, repetitions(body, 0), nil
}

// repetitions counts the fields of a message that come again, and those of the
// messages in it. Without a schema text looks like a message at times, which
// counts a little too much; what can be read of a broken message counts too,
// because the decoder makes objects of it before it fails.
func repetitions(message []byte, depth int) int {
	if depth > maxDepth || len(message) < 2 {
		return 0
	}
	if isText(message) {
		return len(message) / textElement
	}
	n := 0
	var seen uint64 // no type that is read has more fields: larger numbers count as repeated
	eachField(message, func(number uint64, value []byte, long bool) {
		if number > 63 || seen&(1<<number) != 0 {
			n++
		} else {
			seen |= 1 << number
		}
		if long {
			n += repetitions(value, depth+1)
		}
	})
	return n
}

func isText(b []byte) bool {
	for _, c := range b {
		if (c < ' ' && c != '\n' && c != '\t') || c > '~' {
			return false
		}
	}
	return true
}

// eachField calls f with the fields of a protobuf message until its end or
// until it is broken. value is the payload of a field with a length (long), else
// the bytes of the number. It is as lenient as the decoder, which cuts numbers of
// fields off: what protowire refuses, that would make objects of.
func eachField(message []byte, f func(number uint64, value []byte, long bool)) {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 || tag>>3 == 0 {
			return
		}
		message = message[n:]
		var size uint64
		switch tag & 7 {
		case 0:
			if _, n = binary.Uvarint(message); n <= 0 {
				return
			}
			size = uint64(n)
		case 1:
			size = 8
		case 2:
			if size, n = binary.Uvarint(message); n <= 0 {
				return
			}
			message = message[n:]
		case 3, 4: // the brackets of a group: what is in it follows
		case 5:
			size = 4
		default:
			return
		}
		if size > uint64(len(message)) {
			return
		}
		f(tag>>3, message[:size], tag&7 == 2)
		message = message[size:]
	}
}
