package data_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// testdata holds arrays that NumPy 1.24 wrote; arrays.py there says what is in them.
func wantElements(n int, lowest float64) (values []float64) {
	for i := range n {
		values = append(values, float64(7*i%11)+lowest)
	}
	return values
}

func elementsOf(t *testing.T, x *tensor.Dense) []float64 {
	t.Helper()
	as, err := data.AsType(x, graph.Float64)
	if err != nil {
		t.Fatal(err)
	}
	a, err := graph.ArrayOf(as)
	if err != nil {
		t.Fatal(err)
	}
	return a.F64()
}

func TestNPYReadsNumPys(t *testing.T) {
	odd := []float64{0, 1, 1, 0, 0, 0} // 7 i mod 11: 0 7 3 10 6 2
	for _, c := range []struct {
		name  string
		dtype tensor.Dtype
		shape []int
		want  []float64
		same  bool // what WriteNPY writes is the file, byte for byte
	}{
		{"f4", tensor.Float32, []int{2, 3}, wantElements(6, -3), true},
		{"f8", tensor.Float64, []int{2, 3}, wantElements(6, -3), true},
		{"i1", tensor.Int8, []int{2, 3}, wantElements(6, -3), true},
		{"i2", tensor.Int16, []int{2, 3}, wantElements(6, -3), true},
		{"i4", tensor.Int32, []int{2, 3}, wantElements(6, -3), true},
		{"i8", tensor.Int64, []int{2, 3}, wantElements(6, -3), true},
		{"u1", tensor.Uint8, []int{2, 3}, wantElements(6, 0), true},
		{"u2", tensor.Uint16, []int{2, 3}, wantElements(6, 0), true},
		{"u4", tensor.Uint32, []int{2, 3}, wantElements(6, 0), true},
		{"u8", tensor.Uint64, []int{2, 3}, wantElements(6, 0), true},
		{"b1", tensor.Bool, []int{2, 3}, odd, true},
		{"big", tensor.Float64, []int{2, 3}, wantElements(6, -3), false},
		{"columns", tensor.Int32, []int{2, 3, 4}, wantElements(24, -3), false},
		{"version2", tensor.Float32, []int{2, 3}, wantElements(6, -3), false},
		{"scalar", tensor.Float64, []int{}, wantElements(1, -3), true},
		{"vector", tensor.Float32, []int{5}, wantElements(5, -3), true},
		{"empty", tensor.Float32, []int{0, 3}, nil, true},
	} {
		path := filepath.Join("testdata", c.name+".npy")
		x, err := data.NPY(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if x.Dtype() != c.dtype || !slices.Equal([]int(x.Shape()), c.shape) {
			t.Errorf("%s: %v%v, want %v%v", c.name, x.Dtype(), x.Shape(), c.dtype, c.shape)
		}
		if got := elementsOf(t, x); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		var written bytes.Buffer
		if err := data.WriteNPY(&written, x); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		original, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if c.same && !bytes.Equal(written.Bytes(), original) {
			t.Errorf("%s: wrote\n%q, NumPy\n%q", c.name, written.Bytes(), original)
		}
		back, err := data.ReadNPY(&written)
		if err != nil || !slices.Equal(elementsOf(t, back), c.want) {
			t.Errorf("%s: came back as %v, %v", c.name, back, err)
		}
		for n := range original { // however early it is cut off
			if _, err := data.ReadNPY(bytes.NewReader(original[:n])); err == nil {
				t.Errorf("%s: no error for the first %d of %d bytes", c.name, n, len(original))
			}
		}
		if _, err := data.ReadNPY(bytes.NewReader(append(original, 0))); err == nil || !strings.Contains(err.Error(), "goes on after") {
			t.Errorf("%s and a byte more: %v", c.name, err)
		}
	}
}

func TestNPZReadsNumPys(t *testing.T) {
	for _, name := range []string{"several.npz", "compressed.npz"} {
		arrays, err := data.NPZ(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		var written bytes.Buffer
		if err := data.WriteNPZ(&written, arrays); err != nil {
			t.Fatal(err)
		}
		again, err := data.ReadNPZ(written.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for _, arrays := range []map[string]*tensor.Dense{arrays, again} {
			if len(arrays) != 3 || !slices.Equal(elementsOf(t, arrays["weight"]), wantElements(6, -3)) || !slices.Equal(elementsOf(t, arrays["bias"]), wantElements(3, -3)) || !slices.Equal(elementsOf(t, arrays["count"]), []float64{7}) {
				t.Errorf("%s: %v", name, arrays)
			}
		}
	}
	if _, err := data.NPZ(filepath.Join("testdata", "f4.npy")); err == nil {
		t.Error("npy as npz: no error")
	}
	if _, err := data.ReadNPZ(nil); err == nil {
		t.Error("nothing as npz: no error")
	}
	if err := data.WriteNPZ(io.Discard, map[string]*tensor.Dense{"a": nil}); err == nil {
		t.Error("nil in npz: no error")
	}
}

func TestArraysThatCannotBeRead(t *testing.T) {
	for name, want := range map[string]string{"half": "save it as bool, an integer, float32 or float64", "text": "'<U2'"} {
		if _, err := data.NPY(filepath.Join("testdata", name+".npy")); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "testdata") {
			t.Errorf("%s: %v; want %q", name, err, want)
		}
	}
	npy := func(header string) string {
		return "\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), 0}) + header
	}
	for _, c := range []struct {
		name, content, want string
		read                func(io.Reader) (*tensor.Dense, error)
	}{
		{"an empty npy", "", "it ends within its header", data.ReadNPY},
		{"text as npy", "no array at all", "that is no npy", data.ReadNPY},
		{"npy of a later version", "\x93NUMPY\x04\x00\x00\x00", "of version 4", data.ReadNPY},
		{"a header that goes on", "\x93NUMPY\x02\x00\xff\xff\xff\xff", "that is no npy", data.ReadNPY},
		{"a header without shape", npy("{'descr': '<f4', 'fortran_order': False}"), "tells no order or shape", data.ReadNPY},
		{"records", npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}"), "cannot be read", data.ReadNPY},
		{"a shape past all memory", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 2)}"), "claims shape", data.ReadNPY},
		{"a size past all numbers", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}"), "claims the shape", data.ReadNPY},
		{"a large shape of nothing", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"), "ends after 0 of the 8000000000000 bytes", data.ReadNPY},
		{"an empty IDX", "", "it ends within its header: that is no whole IDX", data.ReadIDX},
		{"a page that says the file is gone", "<html>404", "it begins with the bytes 3c 68 74 6d: that is no IDX", data.ReadIDX},
		{"IDX of unknown elements", "\x00\x00\x07\x01", "no IDX", data.ReadIDX},
		{"IDX without sizes", "\x00\x00\x08\x02\x00\x00\x00\x01", "ends within its header", data.ReadIDX},
		{"IDX without elements", "\x00\x00\x08\x02\x00\x00\x00\x01\x00\x00\x00\x05abc", "it ends after 3 of the 5 bytes that shape [1 5] of uint8 takes; it may not have come whole", data.ReadIDX},
		{"IDX with too many", "\x00\x00\x08\x01\x00\x00\x00\x01ab", "it goes on after the 1 bytes", data.ReadIDX},
		{"IDX of 2^64 elements", "\x00\x00\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff", "ax", data.ReadIDX},
	} {
		if _, err := c.read(strings.NewReader(c.content)); err == nil || !strings.Contains(err.Error(), c.want) && c.want != "ax" {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
	text := tensor.New(tensor.WithShape(1), tensor.WithBacking([]string{"a"}))
	for name, err := range map[string]error{
		"text as npy":  data.WriteNPY(io.Discard, text),
		"nil as npy":   data.WriteNPY(io.Discard, nil),
		"int64 as IDX": data.WriteIDX(io.Discard, tensor.New(tensor.WithShape(1), tensor.WithBacking([]int64{1}))),
		"nil as IDX":   data.WriteIDX(io.Discard, nil),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What was written reads back, of whatever elements and shape, also where it was a view.
func TestArraysRoundTrip(t *testing.T) {
	kinds := []any{[]float32{}, []float64{}, []int8{}, []int16{}, []int32{}, []uint8{}, []int64{}, []int{}, []uint16{}, []uint32{}, []uint64{}}
	const forIDX = 6
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.IntRange(0, len(kinds)-1).Draw(t, "kind")
		shape := rapid.SliceOfN(rapid.IntRange(1, 4), 1, 4).Draw(t, "shape")
		n := tensor.Shape(shape).TotalSize()
		slice := reflect.MakeSlice(reflect.TypeOf(kinds[kind]), n, n)
		want := rapid.SliceOfN(rapid.IntRange(0, 127), n, n).Draw(t, "elements")
		for i, v := range want {
			slice.Index(i).Set(reflect.ValueOf(v).Convert(slice.Type().Elem()))
		}
		x := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(slice.Interface()))
		if len(shape) > 1 && rapid.Bool().Draw(t, "transposed") {
			if err := x.T(); err != nil {
				t.Fatal(err)
			}
			want = transposed(want, shape)
		}
		for format, c := range map[string]struct {
			write func(io.Writer, *tensor.Dense) error
			read  func(io.Reader) (*tensor.Dense, error)
		}{"npy": {data.WriteNPY, data.ReadNPY}, "IDX": {data.WriteIDX, data.ReadIDX}} {
			if format == "IDX" && kind >= forIDX {
				continue
			}
			var b bytes.Buffer
			if err := c.write(&b, x); err != nil {
				t.Fatal(err)
			}
			back, err := c.read(&b)
			if err != nil || !slices.Equal(back.Shape(), x.Shape()) {
				t.Fatalf("%s: %v, %v", format, back, err)
			}
			as, err := data.AsType(back, graph.Int64)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range as.Int64s() {
				if v != int64(want[i]) {
					t.Fatalf("%s of %v: element %d is %d, want %d", format, x.Dtype(), i, v, want[i])
				}
			}
		}
	})
}

// transposed reverses the axes.
func transposed(v, shape []int) []int {
	out := make([]int, 0, len(v))
	index := make([]int, len(shape)) // of the result, whose axis i is axis rank−1−i of v
	for range v {
		at := 0
		for axis := range shape {
			at = at*shape[axis] + index[len(shape)-1-axis]
		}
		out = append(out, v[at])
		for axis := len(index) - 1; axis >= 0; axis-- {
			if index[axis]++; index[axis] < shape[len(shape)-1-axis] {
				break
			}
			index[axis] = 0
		}
	}
	return out
}

func TestIDX(t *testing.T) {
	want := []float64{}
	for i := range 24 {
		want = append(want, float64(10*i))
	}
	for _, name := range []string{"images-idx3-ubyte", "images-idx3-ubyte.gz"} {
		x, err := data.IDX(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if x.Dtype() != tensor.Uint8 || !slices.Equal([]int(x.Shape()), []int{4, 3, 2}) || !slices.Equal(elementsOf(t, x), want) {
			t.Errorf("%s: %v%v %v", name, x.Dtype(), x.Shape(), x)
		}
		for _, dtype := range []graph.DType{graph.Float32, graph.Float64} {
			s, err := data.IDXSet(filepath.Join("testdata", name), filepath.Join("testdata", "labels-idx1-ubyte"), dtype)
			if err != nil {
				t.Fatal(err)
			}
			if s.Classes != 3 || !slices.Equal(s.Y.Int64s(), []int64{2, 0, 1, 2}) || !slices.Equal([]int(s.X.Shape()), []int{4, 6}) || !slices.Equal(elementsOf(t, s.X), want) || s.X.Dtype() != dtype.Tensor() {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
	images, labels := filepath.Join("testdata", "images-idx3-ubyte"), filepath.Join("testdata", "labels-idx1-ubyte")
	for name, do := range map[string]func() error{
		"labels for images": func() error { _, err := data.IDXSet(labels, labels, graph.Float32); return err },
		"images for labels": func() error { _, err := data.IDXSet(images, images, graph.Float32); return err },
		"npy":               func() error { _, err := data.IDX(filepath.Join("testdata", "f4.npy")); return err },
		"as integers":       func() error { _, err := data.IDXSet(images, labels, graph.Int64); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), "testdata") && name != "as integers" {
			t.Errorf("%s: %v", name, err)
		}
	}
	cut, err := os.ReadFile(images + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut.gz")
	for n := 1; n < len(cut); n++ {
		if err := os.WriteFile(path, cut[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := data.IDX(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(cut), err)
		}
	}
}

func TestMNIST(t *testing.T) {
	dir := t.TempDir()
	_, _, err := data.MNIST(dir, graph.Float32)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "lacks train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz; download.MNIST(ctx, ") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, _, err := data.MNIST(filepath.Join(dir, "none"), graph.Float32); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	for from, to := range map[string]string{
		"images-idx3-ubyte.gz": "train-images-idx3-ubyte.gz", "labels-idx1-ubyte": "train-labels.idx1-ubyte", "images-idx3-ubyte": "t10k-images-idx3-ubyte"} {
		content, err := os.ReadFile(filepath.Join("testdata", from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := data.MNIST(dir, graph.Float32); err == nil || !strings.Contains(err.Error(), "lacks t10k-labels-idx1-ubyte.gz; ") {
		t.Errorf("one is missing: %v", err)
	}
	var labels bytes.Buffer
	z := gzip.NewWriter(&labels)
	if err := data.WriteIDX(z, tensor.New(tensor.WithShape(4), tensor.WithBacking([]uint8{0, 1, 5, 1}))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "t10k-labels.idx1-ubyte.gz"), labels.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	train, test, err := data.MNIST(dir, graph.Float32)
	if err != nil {
		t.Fatal(err)
	}
	if train.Len() != 4 || test.Len() != 4 || train.Classes != 6 || test.Classes != 6 || test.Y.Int64s()[2] != 5 || train.Y.Int64s()[0] != 2 {
		t.Errorf("%+v, %+v", train, test)
	}
}

// realMNIST names MNIST's own test images and labels: in the folder that TAPIR_MNIST names, else beside the checkout.
func realMNIST(t *testing.T) (images, labels string) {
	t.Helper()
	dir := os.Getenv("TAPIR_MNIST")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data", "mnist")
	}
	images, labels = filepath.Join(dir, "t10k-images-idx3-ubyte.gz"), filepath.Join(dir, "t10k-labels-idx1-ubyte.gz")
	for _, path := range []string{images, labels} {
		if _, err := os.Stat(path); err != nil {
			t.Skipf("MNIST's own images are not here (%v); TAPIR_MNIST may name their folder", err)
		}
	}
	return images, labels
}

// The numbers of each digit are those that MNIST's test set is known by.
func TestRealMNIST(t *testing.T) {
	images, labels := realMNIST(t)
	s, err := data.IDXSet(images, labels, graph.Float32)
	if err != nil {
		t.Fatal(err)
	}
	counts, err := s.Counts()
	if want := []int{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}; err != nil || !slices.Equal(counts, want) {
		t.Errorf("%v, want %v; %v", counts, want, err)
	}
	if !slices.Equal([]int(s.X.Shape()), []int{10000, 784}) || slices.Max(s.X.Float32s()) != 255 || slices.Min(s.X.Float32s()) != 0 || !slices.Equal(s.Y.Int64s()[:5], []int64{7, 2, 1, 0, 4}) {
		t.Errorf("%v, first labels %v", s.X.Shape(), s.Y.Int64s()[:5])
	}
}

func FuzzArrays(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		if content, err := os.ReadFile(path); err == nil {
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for format, read := range map[string]func(io.Reader) (*tensor.Dense, error){"npy": data.ReadNPY, "IDX": data.ReadIDX} {
			x, err := read(bytes.NewReader(content))
			if (x == nil) == (err == nil) {
				t.Fatalf("%s: %v, %v", format, x, err)
			}
		}
		_, _ = data.ReadNPZ(content)
		if table, err := data.ReadCSV(bytes.NewReader(content), data.CSVOptions{}); err == nil && table.Len() == 0 {
			t.Fatal("a table of no rows")
		}
	})
}
