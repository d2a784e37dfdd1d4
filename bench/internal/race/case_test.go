package race

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParseShapes(t *testing.T) {
	got, err := ParseShapes(strings.NewReader(`
# a comment
128 784 256 fwd float32 relu 1   # as in the table: aim 1.06
 7	13 5 dx float64 none 2#tight

128 784 256 fwd float32 relu 1
128 784 256 infer float32 gelutanh 1 # aim high
256 64 32 dw float64 none 1 # aim 1
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Case{
		{128, 784, 256, Forward, "float32", "relu", 1, 1.06},
		{7, 13, 5, GradX, "float64", "none", 2, 0},
		{128, 784, 256, Infer, "float32", "gelutanh", 1, 0},
		{256, 64, 32, GradW, "float64", "none", 1, 1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestParseShapesRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "no case"},
		{"# nothing but this", "no case"},
		{"1 2 3 fwd float32 relu", "6 fields"},
		{"1 2 3 fwd float32 relu 1 1", "8 fields"},
		{"0 2 3 fwd float32 relu 1", `M is "0"`},
		{"1 -2 3 fwd float32 relu 1", `K is "-2"`},
		{"1 2 x fwd float32 relu 1", `N is "x"`},
		{"1 2 70000 fwd float32 relu 1", `N is "70000"`},
		{"60000 60000 3 fwd float32 relu 1", "elements"},
		{"1 2 3 fwd float32 relu 0", `threads is "0"`},
		{"1 2 3 forward float32 relu 1", `op is "forward"`},
		{"1 2 3 fwd float16 relu 1", `dtype is "float16"`},
		{"1 2 3 fwd float32 rely 1", `act is "rely"`},
		{"1 2 3 fwd float32 identity 1", `act is "identity"`},
		{"1 2 3 dw float32 relu 1", "dw has no activation"},
		{"1 2 3 fwd float32 relu 1\n\n1 2", "line 3"},
	} {
		if _, err := ParseShapes(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want one with %q", c.text, err, c.want)
		}
	}
}

func TestShapesFiles(t *testing.T) {
	files, err := filepath.Glob("../../shapes/*.txt")
	if err != nil || len(files) < 2 {
		t.Fatalf("files %v, error %v", files, err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := ParseShapes(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProductSizes(t *testing.T) {
	for op, want := range map[Op][3]int{Forward: {2, 3, 5}, Infer: {2, 3, 5}, GradX: {2, 5, 3}, GradW: {3, 2, 5}} {
		rows, inner, cols := Case{M: 2, K: 3, N: 5, Op: op}.product()
		if got := [3]int{rows, inner, cols}; got != want {
			t.Errorf("%s: %v, want %v", op, got, want)
		}
	}
}
