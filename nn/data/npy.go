package data

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// NPY reads an array that numpy.save wrote, plain or compressed by gzip.
func NPY(path string) (*tensor.Dense, error) { return readFile(path, ReadNPY) }

// ReadNPY reads the npy format, versions 1 to 3: arrays of bool, of integers of 8 to 64 bits, of float32 and float64, in either
// order of bytes, row by row or column by column. The tensor is row-major, and has the element type of the file; AsType makes of
// others what can be fed.
//
// It fails for other elements (half precision, complex numbers, text, records, Python objects), and if there is less than the
// header says, or more.
func ReadNPY(r io.Reader) (*tensor.Dense, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, short(err, "npy")
	}
	if string(head[:6]) != npyMagic {
		return nil, graph.Errorf(graph.ErrValue, "it begins with the bytes % x: that is no npy", head)
	}
	var length [4]byte
	switch version := head[6]; version {
	case 1:
		if _, err := io.ReadFull(r, length[:2]); err != nil {
			return nil, short(err, "npy")
		}
	case 2, 3:
		if _, err := io.ReadFull(r, length[:]); err != nil {
			return nil, short(err, "npy")
		}
	default:
		return nil, graph.Errorf(graph.ErrValue, "it is of version %d of npy; 1 to 3 can be read", version)
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > 1<<20 {
		return nil, graph.Errorf(graph.ErrValue, "its header claims to be %d bytes long; that is no npy", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, short(err, "npy")
	}
	return readNPYArray(r, string(text))
}

const npyMagic = "\x93NUMPY"

// The header is a Python dict of three entries, such as {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
var (
	npyElements = regexp.MustCompile(`'descr'\s*:\s*'([<>|=])([a-zA-Z]\d+)'`)
	npyOrder    = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape    = regexp.MustCompile(`'shape'\s*:\s*\(([\d\s,L]*)\)`)
)

func readNPYArray(r io.Reader, header string) (*tensor.Dense, error) {
	elements, order, sizes := npyElements.FindStringSubmatch(header), npyOrder.FindStringSubmatch(header), npyShape.FindStringSubmatch(header)
	if order == nil || sizes == nil {
		return nil, graph.Errorf(graph.ErrValue, "its header tells no order or shape: %q", strings.TrimSpace(header))
	}
	var e element
	known := false
	if elements != nil {
		e, known = elementWhere(func(e element) bool { return e.npy == elements[2] })
	}
	if !known {
		return nil, graph.Errorf(graph.ErrDType, "its elements cannot be read: %s; save it as bool, an integer, float32 or float64 (astype)", strings.TrimSpace(header))
	}
	shape := []int{}
	for _, size := range strings.Split(sizes[1], ",") {
		if size = strings.TrimSuffix(strings.TrimSpace(size), "L"); size == "" { // after the last comma; L: as Python 2 writes it
			continue
		}
		n, err := strconv.Atoi(size)
		if err != nil {
			return nil, graph.Errorf(graph.ErrValue, "its header claims the shape (%s)", sizes[1])
		}
		shape = append(shape, n)
	}
	bytes := binary.ByteOrder(binary.LittleEndian)
	if elements[1] == ">" {
		bytes = binary.BigEndian
	}
	return e.read(r, bytes, shape, order[1] == "True")
}

// WriteNPY writes t in the npy format, version 1, row by row and with the lowest byte first: numpy.load reads it. Go's int is
// written as int64. It fails for elements that ReadNPY would not read.
func WriteNPY(w io.Writer, t *tensor.Dense) error {
	e, t, err := elementOf(t)
	if err != nil {
		return err
	}
	order := "<"
	if e.dtype.Size() == 1 {
		order = "|"
	}
	shape := ""
	for _, n := range t.Shape() {
		shape += fmt.Sprintf("%d, ", n)
	}
	if t.Dims() > 1 {
		shape = strings.TrimSuffix(shape, ", ")
	}
	header := fmt.Sprintf("{'descr': '%s%s', 'fortran_order': False, 'shape': (%s), }", order, e.npy, strings.TrimSuffix(shape, " "))
	const before = len(npyMagic) + 4
	length := (before+len(header)+1+63)/64*64 - before // so that the elements begin at a multiple of 64
	if length > 1<<16-1 {
		return graph.Errorf(graph.ErrShape, "a shape of rank %d does not fit the header of npy", t.Dims())
	}
	header += strings.Repeat(" ", length-len(header)-1) + "\n"
	start := append([]byte(npyMagic), 1, 0, byte(length), byte(length>>8))
	if _, err := w.Write(append(start, header...)); err != nil {
		return err
	}
	return binary.Write(w, binary.LittleEndian, backing(t))
}

// NPZ reads the arrays that numpy.savez or numpy.savez_compressed wrote, by name. It fails if one of them cannot be read.
func NPZ(path string) (map[string]*tensor.Dense, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, errors.WithMessage(err, path)
	}
	arrays, err := readNPZ(&z.Reader)
	return arrays, closing(z, errors.WithMessage(err, path))
}

// ReadNPZ is NPZ for what is in memory.
func ReadNPZ(content []byte) (map[string]*tensor.Dense, error) {
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, err
	}
	return readNPZ(z)
}

func readNPZ(z *zip.Reader) (map[string]*tensor.Dense, error) {
	arrays := map[string]*tensor.Dense{}
	for _, member := range z.File {
		name, isArray := strings.CutSuffix(member.Name, ".npy")
		if _, twice := arrays[name]; twice || !isArray {
			return nil, graph.Errorf(graph.ErrName, "%s is no array of a name of its own; in npz are files NAME.npy", member.Name)
		}
		r, err := member.Open()
		if err != nil {
			return nil, errors.WithMessage(err, member.Name)
		}
		t, err := ReadNPY(r)
		if err := closing(r, err); err != nil {
			return nil, errors.WithMessage(err, member.Name)
		}
		arrays[name] = t
	}
	return arrays, nil
}

// WriteNPZ writes arrays by name, uncompressed and in the order of their names: numpy.load reads them. The same arrays give the
// same bytes. It fails if one of them cannot be written as npy.
func WriteNPZ(w io.Writer, arrays map[string]*tensor.Dense) error {
	z := zip.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		member, err := z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
		if err != nil {
			return errors.WithMessage(err, name)
		}
		if err := WriteNPY(member, arrays[name]); err != nil {
			return errors.WithMessage(err, name)
		}
	}
	return z.Close()
}
