package data_test

import (
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"gorgonia.org/tensor"
)

func TestPreview(t *testing.T) {
	iris, err := data.Iris(graph.Float32)
	if err != nil {
		t.Fatal(err)
	}
	digits, err := data.Digits(graph.Float64)
	if err != nil {
		t.Fatal(err)
	}
	prices, err := read(t, "size,rooms,price,rent\n50.5,2,1e6,900\n", data.CSVOptions{}).Targets(graph.Float32, "price", "rent")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		of   interface {
			String() string
			SimpleRender() map[string]interface{}
		}
		want string
		html string
	}{
		{"a table", read(t, "a,b\n1,x<y\n2.5,\n3,z\n4,z\n5,z\n6,z\n", data.CSVOptions{Missing: []string{""}}), `6 rows of 2 columns
    a    b
    1  x<y
  2.5     
    3    z
    4    z
    5    z
  …
`, "<td>x&lt;y</td>"},
		{"labels with names", iris, `150 examples of 4 features, float32; 3 labels: setosa 50, versicolor 50, virginica 50
  sepal_length_cm  sepal_width_cm  petal_length_cm  petal_width_cm   label
              5.1             3.5              1.4             0.2  setosa
              4.9               3              1.4             0.2  setosa
              4.7             3.2              1.3             0.2  setosa
              4.6             3.1              1.5             0.2  setosa
                5             3.6              1.4             0.2  setosa
  …
`, "<th>petal_width_cm</th><th>label</th>"},
		{"two targets", prices, `1 example of 2 features, float32
  size  rooms     target
  50.5      2  1e+06 900
`, "<td>1e+06 900</td>"},
		{"many features", must(digits.Select([]int{0})), `1 example of 64 features, float64; 10 labels: 0 1, 1 0, 2 0, 3 0, 4 0, 5 0, 6 0, 7 0, 8 0, 9 0
  pixel_0_0  pixel_0_1  pixel_0_2  pixel_0_3  pixel_0_4  pixel_0_5  pixel_0_6  pixel_0_7  pixel_1_0  …  pixel_7_7  label
          0          0          5         13          9          1          0          0          0  …          0      0
`, "<th>…</th>"},
		{"no names", numbered(2), `2 examples of 2 features, float32; 3 labels: 0 1, 1 1, 2 0
  0   1  label
  0   0      0
  1  10      1
`, "<td>10</td>"},
		{"no rows", must(numbered(2).Select(nil)), "0 examples of 0 features, float32; 3 labels: 0 0, 1 0, 2 0\n  label\n", "<th>label</th>"},
		{"no set", (*data.Set)(nil), "not a proper set: a nil *data.Set\n", "<table></table>"},
		{"no table", (*data.Table)(nil), "no table\n", "<table></table>"},
		{"half a set", &data.Set{X: tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float32{1}))}, "not a proper set: no value: a nil *tensor.Dense\n", "<table></table>"},
	} {
		if got := c.of.String(); got != c.want {
			t.Errorf("%s: shows\n%s\nwant\n%s", c.name, got, c.want)
		}
		shown := c.of.SimpleRender()
		if page, _ := shown["text/html"].(string); shown["text/plain"] != c.want || !strings.Contains(page, c.html) {
			t.Errorf("%s: renders %v", c.name, shown)
		}
	}
}

func must(s *data.Set, err error) *data.Set {
	if err != nil {
		panic(err)
	}
	return s
}
