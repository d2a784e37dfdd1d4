package data

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/pkg/errors"
	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// IDX reads a file in the IDX format, in which MNIST and its kin come, plain or compressed by gzip. The tensor has the element
// type of the file: uint8 for images and labels; AsType makes of it what can be fed.
func IDX(path string) (*tensor.Dense, error) { return readFile(path, ReadIDX) }

// ReadIDX reads the IDX format: two zero bytes, a byte for the element type, one for the rank, the sizes as 32-bit numbers, the
// elements row by row, all with the highest byte first. It fails if there is less than the header says, or more.
func ReadIDX(r io.Reader) (*tensor.Dense, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, short(err, "IDX")
	}
	e, known := elementWhere(func(e element) bool { return e.idx == head[2] && e.idx != 0 })
	if head[0] != 0 || head[1] != 0 || !known {
		return nil, graph.Errorf(graph.ErrValue, "it begins with the bytes % x: that is no IDX", head)
	}
	sizes := make([]uint32, head[3])
	if err := binary.Read(r, binary.BigEndian, sizes); err != nil {
		return nil, short(err, "IDX")
	}
	shape := make([]int, len(sizes))
	for i, n := range sizes {
		shape[i] = int(n)
	}
	return e.read(r, binary.BigEndian, shape, false)
}

// WriteIDX writes t in the IDX format. It fails if its elements are none of IDX's: uint8, int8, int16, int32, float32, float64.
func WriteIDX(w io.Writer, t *tensor.Dense) error {
	e, t, err := elementOf(t)
	if err != nil {
		return err
	}
	if e.idx == 0 {
		return graph.Errorf(graph.ErrDType, "IDX has no elements of %v; take uint8, int8, int16, int32, float32 or float64", e.dtype)
	}
	if _, err := w.Write([]byte{0, 0, e.idx, byte(t.Dims())}); err != nil {
		return err
	}
	for _, n := range t.Shape() {
		if err := binary.Write(w, binary.BigEndian, uint32(n)); err != nil {
			return err
		}
	}
	return binary.Write(w, binary.BigEndian, backing(t))
}

// IDXSet reads a set of labelled images from two IDX files. X: (images, pixels) of dtype Float32 or Float64: the pixels of an
// image row by row, in the units of the file (0 to 255 for bytes), unscaled. Y: the labels; Classes is the largest one and 1.
//
// It fails if a file is damaged or the two do not hold equally many.
func IDXSet(images, labels string, dtype graph.DType) (*Set, error) {
	raw, err := IDX(images)
	if err != nil {
		return nil, err
	}
	y, err := IDX(labels)
	if err != nil {
		return nil, err
	}
	x, err := AsType(raw, dtype)
	if err != nil {
		return nil, errors.WithMessage(err, images)
	}
	if raw.Dims() < 2 || y.Dims() != 1 || raw.Shape()[0] != y.Shape()[0] {
		return nil, graph.Errorf(graph.ErrShape, "%s holds shape %v and %s %v; images are (n, rows, columns) and their labels (n)", images, raw.Shape(), labels, y.Shape())
	}
	if n := x.Shape()[0]; n > 0 {
		if err := x.Reshape(n, x.Shape().TotalSize()/n); err != nil {
			return nil, errors.WithMessage(err, images)
		}
	}
	s, err := NewSet(x, y)
	return s, errors.WithMessage(err, labels)
}

// readFile reads a whole file.
func readFile(path string, read func(io.Reader) (*tensor.Dense, error)) (*tensor.Dense, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	t, err := read(f)
	return t, closing(f, errors.WithMessage(err, path))
}

// file is a file, or what gzip finds in it.
type file struct {
	io.Reader
	under *os.File
}

func (f file) Close() error { return f.under.Close() }

// open opens a file for reading, through gzip if it begins as gzip does.
func open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReaderSize(f, 1<<16)
	if mark, err := buffered.Peek(2); err != nil || mark[0] != 0x1f || mark[1] != 0x8b {
		return file{buffered, f}, nil // also an empty file: its reader says what it misses
	}
	z, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, closing(f, errors.WithMessage(err, path))
	}
	return file{z, f}, nil
}

// closing closes f and returns err, or what closing it gave.
func closing(f io.Closer, err error) error {
	if failed := f.Close(); err == nil {
		err = failed
	}
	return err
}

// short names the end of a file for what it is.
func short(err error, format string) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return graph.Errorf(graph.ErrValue, "it ends within its header: that is no whole %s", format)
	}
	return fmt.Errorf("%s: %w", format, err)
}
