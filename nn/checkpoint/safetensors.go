package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// The layout, see the format's definition at huggingface.co/docs/safetensors:
//
//	8 bytes   length n of the header, little-endian
//	n bytes   a JSON object: name → {"dtype", "shape", "data_offsets": [begin, end]}, and "__metadata__" → strings
//	the rest  the elements, row-major and little-endian, without gaps, in the order of their offsets
//
// The checksum is the SHA-256 of everything behind the length, with zeros in its own place.

// ErrDamaged is the kind of error for what is no whole safetensors file.
var ErrDamaged = errors.New("damaged file")

const (
	metadataKey  = "__metadata__"
	checksumKey  = "checksum"
	checksumName = "sha256:"
	maxHeader    = 100 << 20 // the format's own bound
)

// entry is a tensor in the header.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

var storedAs = map[graph.DType]string{graph.Float32: "F32", graph.Float64: "F64", graph.Int32: "I32", graph.Int64: "I64", graph.Bool: "BOOL"}

// stored are the element types that are read: the size of an element, as what it is kept, and how one is converted; nil: as it is.
var stored = map[string]struct {
	size    int
	as      graph.DType
	convert func(b []byte) float64 // exact in the type that it is kept as
}{
	"F32":  {4, graph.Float32, nil},
	"F64":  {8, graph.Float64, nil},
	"I32":  {4, graph.Int32, nil},
	"I64":  {8, graph.Int64, nil},
	"BOOL": {1, graph.Bool, func(b []byte) float64 { return float64(min(b[0], 1)) }},
	"U8":   {1, graph.Int32, func(b []byte) float64 { return float64(b[0]) }},
	"I8":   {1, graph.Int32, func(b []byte) float64 { return float64(int8(b[0])) }},
	"U16":  {2, graph.Int32, func(b []byte) float64 { return float64(binary.LittleEndian.Uint16(b)) }},
	"I16":  {2, graph.Int32, func(b []byte) float64 { return float64(int16(binary.LittleEndian.Uint16(b))) }},
	"U32":  {4, graph.Int64, func(b []byte) float64 { return float64(binary.LittleEndian.Uint32(b)) }},
	"F16":  {2, graph.Float32, func(b []byte) float64 { return half(binary.LittleEndian.Uint16(b)) }},
	"BF16": {2, graph.Float32, func(b []byte) float64 {
		return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16))
	}},
}

// half is an IEEE 754 number of 16 bits: one for the sign, 5 for the exponent, 10 for the fraction.
func half(b uint16) float64 {
	sign, exponent, fraction := 1-2*float64(b>>15), int(b>>10&31), float64(b&1023)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// Write writes the file, with a checksum in its metadata.
func (f *File) Write(w io.Writer) error {
	header, blocks, err := f.encode()
	if err != nil {
		return err
	}
	sum := sha256.New()
	sum.Write(header)
	for _, b := range blocks {
		sum.Write(b)
	}
	header = bytes.Replace(header, checksumField(make([]byte, sha256.Size)), checksumField(sum.Sum(nil)), 1)
	for _, b := range append([][]byte{binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header}, blocks...) {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func checksumField(sum []byte) []byte {
	return fmt.Appendf(nil, `"%s":"%s%s"`, checksumKey, checksumName, hex.EncodeToString(sum))
}

// encode returns the header, with zeros for a checksum, and the elements of each tensor. Wide elements come first, so that each
// tensor is aligned, then names decide: the same values give the same bytes.
func (f *File) encode() (header []byte, blocks [][]byte, err error) {
	arrays, names := map[string]graph.Array{}, make([]string, 0, len(f.Tensors))
	for name, t := range f.Tensors {
		if arrays[name], err = graph.ArrayOf(t); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		} else if name == metadataKey {
			return nil, nil, graph.Errorf(graph.ErrName, "a tensor cannot be called %s: the format has that name for itself", name)
		}
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		if a, b := arrays[names[i]].DType.Size(), arrays[names[j]].DType.Size(); a != b {
			return a > b
		}
		return names[i] < names[j]
	})
	b := bytes.NewBufferString(`{"` + metadataKey + `":{`)
	b.Write(checksumField(make([]byte, sha256.Size))) // the first that is found
	keys := make([]string, 0, len(f.Metadata))
	for key := range f.Metadata {
		if key != checksumKey {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	text := func(v any) {
		encoded, e := json.Marshal(v)
		b.Write(encoded)
		err = errors.Join(err, e)
	}
	for _, key := range keys {
		b.WriteByte(',')
		text(key)
		b.WriteByte(':')
		text(f.Metadata[key])
	}
	b.WriteByte('}')
	var at int64
	for _, name := range names {
		a := arrays[name]
		block := littleEndian(a.Bytes(), a.DType.Size())
		blocks = append(blocks, block)
		b.WriteByte(',')
		text(name)
		b.WriteByte(':')
		text(entry{storedAs[a.DType], append([]int{}, a.Shape...), [2]int64{at, at + int64(len(block))}})
		at += int64(len(block))
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 { // so that the elements are aligned in the file
		b.WriteByte(' ')
	}
	if err == nil && b.Len() > maxHeader {
		err = graph.Errorf(graph.ErrValue, "a header of %d bytes; the format allows %d", b.Len(), maxHeader)
	}
	return b.Bytes(), blocks, err
}

// littleEndian returns memory in the byte order of the format, copied where the machine's is the other.
func littleEndian(memory []byte, size int) []byte {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return memory
	}
	turned := slices.Clone(memory)
	for i := 0; i < len(turned); i += size {
		slices.Reverse(turned[i : i+size])
	}
	return turned
}

// ReadFile reads a file.
func ReadFile(path string) (*File, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return nil, err
	}
	f, err := Read(r, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Read reads a file of size bytes. Element types that the framework does not have become the next one that holds all their
// values: F16 and BF16 float32, whole numbers of 8 and 16 bits int32, U32 int64. A file with a checksum must fit it; one without
// (from another program) is taken as it is. What is wrong with the bytes is an ErrDamaged; other errors are the reader's.
func Read(r io.ReaderAt, size int64) (*File, error) {
	damaged := func(format string, args ...any) error {
		return graph.Errorf(ErrDamaged, "no whole safetensors file: "+format, args...)
	}
	in := io.NewSectionReader(r, 0, size)
	var length uint64
	if size < 8 {
		return nil, damaged("%d bytes", size)
	} else if err := binary.Read(in, binary.LittleEndian, &length); err != nil {
		return nil, err
	}
	if length > uint64(min(size-8, maxHeader)) {
		return nil, damaged("a header of %d bytes in %d", length, size)
	}
	header := make([]byte, length)
	if _, err := io.ReadFull(in, header); err != nil {
		return nil, err
	}
	f := &File{Tensors: map[string]*tensor.Dense{}}
	entries, err := f.decode(header)
	if err != nil {
		return nil, damaged("%v", err)
	}
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool { // ends too: an empty tensor comes before the one that begins where it does
		a, b := entries[names[i]].Offsets, entries[names[j]].Offsets
		if c := slices.Compare(a[:], b[:]); c != 0 {
			return c < 0
		}
		return names[i] < names[j]
	})
	sum := sha256.New()
	sum.Write(header)
	var at int64
	for _, name := range names {
		e := entries[name]
		kind, known := stored[e.DType]
		bytes, ok := bytesOf(e.Shape, kind.size)
		switch {
		case !known:
			return nil, graph.Errorf(graph.ErrDType, "%s has elements of %q, which are not read here", name, e.DType)
		case !ok || e.Offsets != [2]int64{at, at + bytes} || at+bytes > size-8-int64(length):
			return nil, damaged("%s: %s%v at %v, after %d of %d bytes", name, e.DType, tensor.Shape(e.Shape), e.Offsets, at, size-8-int64(length))
		}
		at += bytes
		a := graph.NewArray(kind.as, e.Shape...)
		block := a.Bytes()
		if kind.convert != nil {
			block = make([]byte, bytes)
		}
		if _, err := io.ReadFull(in, block); err != nil {
			return nil, err
		}
		sum.Write(block)
		if kind.convert == nil {
			copy(block, littleEndian(block, kind.size))
		} else {
			for i := range a.Len() {
				a.SetAt(i, kind.convert(block[i*kind.size:]))
			}
		}
		f.Tensors[name] = a.Dense()
	}
	if at != size-8-int64(length) {
		return nil, damaged("%d bytes that belong to no tensor", size-8-int64(length)-at)
	}
	if text, ok := f.Metadata[checksumKey]; ok {
		if text != checksumName+hex.EncodeToString(sum.Sum(nil)) {
			return nil, damaged("the checksum is that of other content (a program that changes the file should remove it)")
		}
		f.Verified = true
	}
	return f, nil
}

// bytesOf is the size of a tensor; not ok if a dimension is negative or the product overflows.
func bytesOf(shape []int, size int) (bytes int64, ok bool) {
	bytes = int64(size)
	for _, d := range shape {
		if d < 0 || d > 0 && bytes > math.MaxInt64/2/int64(d) {
			return 0, false
		}
		bytes *= int64(d)
	}
	return bytes, true
}

// decode reads the header's JSON, keeps the metadata, and puts zeros in the place of the checksum.
func (f *File) decode(header []byte) (map[string]entry, error) {
	d := json.NewDecoder(bytes.NewReader(header))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("a header that is no JSON object")
	}
	entries, seen := map[string]entry{}, map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := t.(string) // what else a key can be is an error of Token
		if seen[name] {
			return nil, fmt.Errorf("the name %q twice", name)
		}
		seen[name] = true
		if name == metadataKey {
			err = d.Decode(&f.Metadata)
		} else {
			var e entry
			err = d.Decode(&e)
			entries[name] = e
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if rest := header[d.InputOffset():]; strings.TrimSpace(string(rest)) != "" {
		return nil, fmt.Errorf("%d bytes behind the header's object", len(rest))
	}
	if sum, err := hex.DecodeString(strings.TrimPrefix(f.Metadata[checksumKey], checksumName)); err == nil && len(sum) == sha256.Size {
		copy(header, bytes.Replace(header, checksumField(sum), checksumField(make([]byte, sha256.Size)), 1))
	}
	return entries, nil
}
