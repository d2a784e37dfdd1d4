package checkpoint_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/checkpoint"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// golden are the values in testdata/*.safetensors, which safetensors.py wrote (numpy 1.24, by the format's definition).
var golden = map[string]*tensor.Dense{
	"z.half": tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{0.5, -2, 65504, 0x1p-24, float32(math.Copysign(0, -1)), float32(math.Inf(1))})),
	"brain":  tensor.New(tensor.WithBacking([]float32{1, -3.140625, math.Float32frombits(math.Float32bits(1e38) &^ 0xffff), 0})),
	"f32":    tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{1.5, -0.1, 3e-45, math.MaxFloat32})),
	"f64":    tensor.New(tensor.WithBacking([]float64{0.1, -1e300})),
	"scalar": tensor.New(tensor.FromScalar(2.5)),
	"empty":  graph.NewArray(graph.Float32, 0, 3).Dense(),
	"i8":     tensor.New(tensor.WithBacking([]int32{-128, 127})),
	"u8":     tensor.New(tensor.WithBacking([]int32{0, 255})),
	"i16":    tensor.New(tensor.WithBacking([]int32{-32768, 32767})),
	"u16":    tensor.New(tensor.WithShape(1), tensor.WithBacking([]int32{65535})),
	"i32":    tensor.New(tensor.WithBacking([]int32{math.MinInt32, math.MaxInt32})),
	"u32":    tensor.New(tensor.WithShape(1), tensor.WithBacking([]int64{math.MaxUint32})),
	"i64":    tensor.New(tensor.WithBacking([]int64{math.MinInt64, math.MaxInt64})),
	"bool":   tensor.New(tensor.WithBacking([]bool{true, false, true})),
}

// same compares element types, shapes and bits.
func same(t interface{ Errorf(string, ...any) }, got, want map[string]*tensor.Dense) {
	for name, w := range want {
		g := got[name]
		if g == nil {
			t.Errorf("no %s", name)
			continue
		}
		a, errA := graph.ArrayOf(g)
		b, errB := graph.ArrayOf(w)
		if errA != nil || errB != nil || a.DType != b.DType || !slices.Equal(a.Shape, b.Shape) || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s is %v%v %v, want %v%v %v (%v, %v)", name, a.DType, a.Shape, g, b.DType, b.Shape, w, errA, errB)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d tensors, want %d", len(got), len(want))
	}
}

func TestReadsWhatOthersWrite(t *testing.T) {
	f, err := checkpoint.ReadFile("testdata/foreign.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	same(t, f.Tensors, golden)
	if fmt.Sprint(f.Metadata) != "map[format:np]" || f.Verified {
		t.Errorf("metadata %v, verified %v", f.Metadata, f.Verified)
	}
}

// What is written is what an independent writer makes of the definition, byte for byte.
func TestWritesTheFormat(t *testing.T) {
	own := map[string]*tensor.Dense{}
	for _, name := range []string{"f32", "f64", "scalar", "empty", "i32", "i64", "bool"} {
		own[name] = golden[name]
	}
	f := &checkpoint.File{Tensors: own, Metadata: map[string]string{"über": "a \"quoted\" line\n", "checksum": "is replaced"}}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/own.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("wrote\n%q\nwant\n%q", &b, want)
	}
	back, err := checkpoint.ReadFile("testdata/own.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	same(t, back.Tensors, own)
	if back.Metadata["über"] != f.Metadata["über"] {
		t.Errorf("metadata %q", back.Metadata)
	}
	if err := (&checkpoint.File{Tensors: map[string]*tensor.Dense{"__metadata__": golden["f32"]}}).Write(&b); !errors.Is(err, graph.ErrName) {
		t.Errorf("a reserved name: %v", err)
	}
}

// anyFile draws tensors of every type and shape, and metadata with all that strings may hold.
func anyFile(t *rapid.T) *checkpoint.File {
	f := &checkpoint.File{Tensors: map[string]*tensor.Dense{}, Metadata: map[string]string{}}
	for _, name := range rapid.SliceOfNDistinct(rapid.String(), 0, 6, rapid.ID[string]).Draw(t, "names") {
		if name == "__metadata__" || strings.ToValidUTF8(name, "") != name {
			continue
		}
		a := graph.NewArray(rapid.SampledFrom([]graph.DType{graph.Float32, graph.Float64, graph.Int32, graph.Int64, graph.Bool}).Draw(t, "dtype"),
			rapid.SliceOfN(rapid.IntRange(0, 4), 0, 3).Draw(t, "shape")...)
		for i := range a.Bytes() {
			if a.Bytes()[i] = rapid.Byte().Draw(t, "byte"); a.DType == graph.Bool {
				a.Bytes()[i] &= 1
			}
		}
		f.Tensors[name] = a.Dense()
		f.Metadata["of "+name] = name
	}
	return f
}

// What was written is read again, with its bits; a change of any byte is noticed.
func TestRoundTripAndDamage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFile(t)
		var b bytes.Buffer
		if err := f.Write(&b); err != nil {
			t.Fatal(err)
		}
		back, err := checkpoint.Read(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		same(t, back.Tensors, f.Tensors)
		if !back.Verified {
			t.Error("not verified")
		}
		for key, text := range f.Metadata {
			if back.Metadata[key] != text {
				t.Errorf("metadata %q: %q, want %q", key, back.Metadata[key], text)
			}
		}
		var again bytes.Buffer
		if err := back.Write(&again); err != nil || !bytes.Equal(again.Bytes(), b.Bytes()) {
			t.Errorf("written again it is\n%q, not\n%q (%v)", &again, &b, err)
		}

		broken := slices.Clone(b.Bytes())
		at := rapid.IntRange(0, len(broken)-1).Draw(t, "at")
		broken[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "change"))
		if f, err := checkpoint.Read(bytes.NewReader(broken), int64(len(broken))); err == nil && f.Verified {
			t.Errorf("byte %d changed, and nobody noticed\n%q", at, broken)
		}
		short := b.Bytes()[:rapid.IntRange(0, b.Len()-1).Draw(t, "length")]
		if _, err := checkpoint.Read(bytes.NewReader(short), int64(len(short))); !errors.Is(err, checkpoint.ErrDamaged) {
			t.Errorf("%d of %d bytes: %v", len(short), b.Len(), err)
		}
	})
}

// Headers that do not describe the bytes behind them.
func TestHeadersThatLie(t *testing.T) {
	for _, c := range []struct {
		header string
		bytes  int
		want   string // in the error; "": none
	}{
		{`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8, ""},
		{`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}   `, 8, ""},
		{`{"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, 8, ""},
		{`{}`, 0, ""},
		{`{}`, 1, "1 bytes that belong to no tensor"},
		{`[]`, 0, "no JSON object"},
		{``, 0, "no JSON object"},
		{`{"a":`, 0, "EOF"},
		{`{}{}`, 0, "2 bytes behind the header's object"},
		{`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4, "a: F32(2) at [0 4]"},
		{`{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12, "a: F32(2) at [4 12], after 0 of 12"},
		{`{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8, "a: F32"},
		{`{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`, 0, "a: F32"},
		{`{"a":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}`, 8, "a: F32"},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8, `the name "a" twice`},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4, "b: F32(1) at [0 4], after 4"},
		{`{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}`, 4, `"F8_E4M3", which are not read here`},
		{`{"__metadata__":{"a":1}}`, 0, "__metadata__"},
		{`{"__metadata__":{"checksum":"md5:0"}}`, 0, "checksum"},
	} {
		b := append(binary.LittleEndian.AppendUint64(nil, uint64(len(c.header))), c.header...)
		b = append(b, make([]byte, c.bytes)...)
		_, err := checkpoint.Read(bytes.NewReader(b), int64(len(b)))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.header, err, c.want)
		}
	}
	huge := binary.LittleEndian.AppendUint64(nil, math.MaxUint64)
	if _, err := checkpoint.Read(bytes.NewReader(huge), 8); !errors.Is(err, checkpoint.ErrDamaged) {
		t.Error(err)
	}
}

// state has a weight of (3, width), a bias, and a counter.
func state(t *testing.T, width int) *vm.State {
	t.Helper()
	g := graph.New()
	g.Param("0.weight", graph.Float32, graph.Full(1), 3, graph.Dim(width))
	g.Param("0.bias", graph.Float32, graph.Zeros(), graph.Dim(width))
	g.Variable("sgd.step", graph.Int64, graph.Zeros())
	s, err := vm.NewState(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRestore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	trained := state(t, 2)
	if err := trained.SetAll(map[string]any{"0.bias": []float32{3, 4}, "sgd.step": int64(1) << 60}); err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.Save(path, trained); err != nil {
		t.Fatal(err)
	}
	fresh := state(t, 2)
	r, err := checkpoint.Load(path, fresh)
	if err != nil || r.String() != "3 values match" {
		t.Errorf("%v, %v", r, err)
	}
	same(t, fresh.Snapshot(), trained.Snapshot())

	f, err := checkpoint.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	delete(f.Tensors, "sgd.step")
	f.Tensors["head.weight"] = golden["f32"]
	wide := state(t, 5)
	before := wide.Snapshot()
	want := "0 values match\n2 of another shape: 0.bias: (2) in the file, (5) in the state, 0.weight: (3, 2) in the file, (3, 5) in the state\n" +
		"1 missing in the file: sgd.step\n1 unknown to the state: head.weight"
	if r, err := f.Restore(wide); !errors.Is(err, graph.ErrName) || r.String() != want || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\n%v", r, err)
	}
	same(t, wide.Snapshot(), before)

	again := state(t, 2)
	if r, err := f.RestorePartly(again); err != nil || !slices.Equal(r.Matched, []string{"0.bias", "0.weight"}) {
		t.Errorf("%v, %v", r, err)
	}
	if bias, err := again.Get("0.bias"); err != nil || fmt.Sprint(bias.Data()) != "[3 4]" {
		t.Errorf("%v, %v", bias, err)
	}
	f.Tensors["sgd.step"] = tensor.New(tensor.FromScalar(int64(7)))
	if r, err := f.Restore(again); err != nil || !slices.Equal(r.Unexpected, []string{"head.weight"}) {
		t.Errorf("what the file has besides: %v, %v", r, err)
	}
	if _, err := checkpoint.Load(filepath.Join(t.TempDir(), "none"), fresh); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestWriteFileIsWholeOrNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "model.safetensors")
	good := &checkpoint.File{Tensors: map[string]*tensor.Dense{"a": golden["f64"]}}
	if err := good.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	bad := &checkpoint.File{Tensors: map[string]*tensor.Dense{"__metadata__": golden["f64"]}}
	if err := bad.WriteFile(path); err == nil {
		t.Error("wrote a name that the format reserves")
	}
	if f, err := checkpoint.ReadFile(path); err != nil {
		t.Error(err)
	} else {
		same(t, f.Tensors, good.Tensors)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("left %v, %v", entries, err)
	}
	if err := good.WriteFile(filepath.Join(folder, "no", "folder")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestSeries(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a [run]", "checkpoints")
	s := checkpoint.Series{Dir: folder}
	if found, err := s.Latest(); found != nil || err != nil {
		t.Errorf("before the first: %v, %v", found, err)
	}
	at := func(step int) *checkpoint.File {
		return &checkpoint.File{Tensors: map[string]*tensor.Dense{"step": tensor.New(tensor.FromScalar(int64(step)))}}
	}
	latest := func(want, damaged int) {
		t.Helper()
		found, err := s.Latest()
		if err != nil || found == nil || found.Step != want || found.Tensors["step"].Data() != int64(want) || len(found.Damaged) != damaged {
			t.Errorf("latest %+v, %v; want step %d with %d damaged", found, err, want, damaged)
		}
	}
	save := func(step int) string {
		t.Helper()
		path, err := s.Save(step, at(step))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, step := range []int{0, 5, 10, 2_000_000} {
		save(step)
		latest(step, 0)
	}
	list := func() (names []string) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if got, want := fmt.Sprint(list()), "[step-000000000010.safetensors step-000002000000.safetensors]"; got != want {
		t.Errorf("kept %v, want %v", got, want)
	}

	// The newest is cut off, and a killed process left half a file.
	if err := os.Truncate(filepath.Join(folder, "step-000002000000.safetensors"), 100); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "step-000002000005.safetensors.unfinished-123"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	latest(10, 1)
	save(15) // the run goes on from step 10
	latest(15, 0)
	if got, want := fmt.Sprint(list()), "[step-000000000010.safetensors step-000000000015.safetensors]"; got != want {
		t.Errorf("kept %v, want %v", got, want)
	}
	for i, name := range list() { // one with a letter changed in the key of the checksum, one that is something else
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if content[26]++; i == 0 {
			content = []byte("not a checkpoint")
		}
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := s.Latest(); !errors.Is(err, checkpoint.ErrDamaged) || !strings.Contains(err.Error(), "remove them to start anew") {
		t.Errorf("all damaged: %v, %v", found, err)
	}
	s.Keep = 3
	for step := range 5 {
		save(step)
	}
	if len(list()) != 3 {
		t.Errorf("kept %v, want 3", list())
	}
}

// The header is plain JSON, as other readers expect.
func TestHeaderIsJSON(t *testing.T) {
	raw, err := os.ReadFile("testdata/own.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(raw)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(raw[8:8+n], &header); err != nil || n%8 != 0 || string(header["scalar"]) != `{"dtype":"F64","shape":[],"data_offsets":[32,40]}` {
		t.Errorf("%v\n%s", err, header)
	}
}
