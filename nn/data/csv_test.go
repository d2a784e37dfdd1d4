package data_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"pgregory.net/rapid"
)

func read(t *testing.T, csv string, o data.CSVOptions) *data.Table {
	t.Helper()
	table, err := data.ReadCSV(strings.NewReader(csv), o)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestReadCSV(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name, csv string
		o         data.CSVOptions
		want      []data.Column
	}{
		{"numbers and text", "a,b\n1,x\n-2.5e3,y z\n", data.CSVOptions{}, []data.Column{{Name: "a", Numbers: []float64{1, -2500}}, {Name: "b", Text: []string{"x", "y z"}}}},
		{"a number as text", "zip\n01067\n80331\n", data.CSVOptions{Text: []string{"zip"}}, []data.Column{{Name: "zip", Text: []string{"01067", "80331"}}}},
		{"spaces", " a , b\n 1 , x\n", data.CSVOptions{}, []data.Column{{Name: "a", Numbers: []float64{1}}, {Name: "b", Text: []string{" x"}}}},
		{"quotes", "a,\"b \"\"c\"\"\"\n\"1,5\",\"x\ny\"\n", data.CSVOptions{}, []data.Column{{Name: "a", Text: []string{"1,5"}}, {Name: `b "c"`, Text: []string{"x\ny"}}}},
		{"other marks", "a;b\n# no row\n1;2\n", data.CSVOptions{Comma: ';', Comment: '#'}, []data.Column{{Name: "a", Numbers: []float64{1}}, {Name: "b", Numbers: []float64{2}}}},
		{"no header", "1,2\n3,4\n", data.CSVOptions{NoHeader: true}, []data.Column{{Name: "0", Numbers: []float64{1, 3}}, {Name: "1", Numbers: []float64{2, 4}}}},
		{"a cell of the header that is empty", ",a\n0,5\n", data.CSVOptions{}, []data.Column{{Name: "0", Numbers: []float64{0}}, {Name: "a", Numbers: []float64{5}}}},
		{"a mark of byte order, carriage returns, no end of line", "\uFEFFa,b\r\n1,2\r\n3,4", data.CSVOptions{}, []data.Column{{Name: "a", Numbers: []float64{1, 3}}, {Name: "b", Numbers: []float64{2, 4}}}},
		{"missing values", "a,b,c\n1,x,NA\n,NA,?\n", data.CSVOptions{Missing: []string{"", "NA", "?"}}, []data.Column{
			{Name: "a", Numbers: []float64{1, nan}}, {Name: "b", Text: []string{"x", ""}}, {Name: "c", Text: []string{"", ""}}}},
		{"NaN that may be missing", "a\nNaN\n1\n", data.CSVOptions{Missing: []string{"NaN"}}, []data.Column{{Name: "a", Numbers: []float64{nan, 1}}}},
		{"a name like a number", "a\nNan\nEve\n", data.CSVOptions{}, []data.Column{{Name: "a", Text: []string{"Nan", "Eve"}}}},
		{"an infinity", "a\ninf\n1\n", data.CSVOptions{}, []data.Column{{Name: "a", Numbers: []float64{math.Inf(1), 1}}}},
		{"one row", "a\n1\n", data.CSVOptions{}, []data.Column{{Name: "a", Numbers: []float64{1}}}},
	} {
		table, err := data.ReadCSV(strings.NewReader(c.csv), c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if !sameColumns(table.Columns, c.want) {
			t.Errorf("%s: %v, want %v", c.name, table.Columns, c.want)
		}
	}
}

// sameColumns compares columns, NaN equal to NaN.
func sameColumns(a, b []data.Column) bool {
	return slices.EqualFunc(a, b, func(a, b data.Column) bool {
		return a.Name == b.Name && slices.Equal(a.Text, b.Text) && (a.Numbers == nil) == (b.Numbers == nil) &&
			slices.EqualFunc(a.Numbers, b.Numbers, func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b })
	})
}

func TestCSVSaysWhereItIsWrong(t *testing.T) {
	for _, c := range []struct {
		name, csv string
		o         data.CSVOptions
		want      string
	}{
		{"empty", "", data.CSVOptions{}, "there is nothing in it, not even a header"},
		{"blank lines", "\n\n", data.CSVOptions{}, "there is nothing in it, not even a header"},
		{"a header alone", "a,b\n", data.CSVOptions{}, `there is a header ("a", "b") but no row; where the first line is a row, say NoHeader`},
		{"a short row", "a,b\n1,2\n3\n", data.CSVOptions{}, "line 3: 1 cells, but there are 2 columns"},
		{"a long row", "a,b\n1,2,3\n", data.CSVOptions{}, "line 2: 3 cells, but there are 2 columns"},
		{"the same name twice", "a,b,a\n1,2,3\n", data.CSVOptions{}, `columns 1 and 3 of the header are both called "a"; rename one`},
		{"a missing number", "a,b\n1,2\n\n3,\n", data.CSVOptions{}, `line 4, column 2 (b): the value is missing (""); fill it in, or name such cells in CSVOptions.Missing and DropMissing`},
		{"NaN", "a,b\n1,nan\n3,1\n", data.CSVOptions{}, `line 2, column 2 (b): the value is missing ("nan")`},
		{"missing text", "a,b\n\"x\ny\",2\n,3\n", data.CSVOptions{}, "line 4, column 1 (a): the value is missing"},
		{"a quote amid a cell", "a,b\n1,x\"y\n", data.CSVOptions{}, `line 2, column`},
		{"a text column that is none", "a\n1\n", data.CSVOptions{Text: []string{"b"}}, `there is no column "b"; there are "a"`},
	} {
		if _, err := data.ReadCSV(strings.NewReader(c.csv), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
	nowhere := filepath.Join(t.TempDir(), "nowhere.csv")
	if _, err := data.CSV(nowhere, data.CSVOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	path := filepath.Join(t.TempDir(), "x.csv.gz")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("a,b\n1,\n"))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := data.CSV(path, data.CSVOptions{}); err == nil || !strings.HasPrefix(err.Error(), path+":2, column 2 (b): the value is missing") {
		t.Errorf("in a file: %v", err)
	}
	if table, err := data.CSV(path, data.CSVOptions{Missing: []string{""}}); err != nil || table.Len() != 1 {
		t.Errorf("a compressed file: %v", err)
	}
}

// A table that was written reads back the same.
func TestCSVRoundTrip(t *testing.T) {
	text := rapid.StringOf(rapid.RuneFrom([]rune(" ,;\"'\n\tabcÄ日10.#"))).Filter(func(s string) bool { return s != "" })
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(text.Filter(func(s string) bool { return s == strings.TrimSpace(s) }), 1, 5, rapid.ID[string]).Draw(t, "names")
		rows := rapid.IntRange(1, 6).Draw(t, "rows")
		table := &data.Table{}
		options := data.CSVOptions{Missing: []string{"", "NaN"}}
		for _, name := range names {
			c := data.Column{Name: name}
			if rapid.Bool().Draw(t, "of text") {
				options.Text = append(options.Text, name)
				c.Text = rapid.SliceOfN(rapid.OneOf(text, rapid.Just("")), rows, rows).Draw(t, "text")
			} else {
				c.Numbers = rapid.SliceOfN(rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN())), rows, rows).Draw(t, "numbers")
				c.Numbers[0] = 1 // a column of nothing would be text
			}
			table.Columns = append(table.Columns, c)
		}
		var written bytes.Buffer
		if err := table.WriteCSV(&written); err != nil {
			t.Fatal(err)
		}
		back, err := data.ReadCSV(&written, options)
		if err != nil {
			t.Fatal(err)
		}
		if !sameColumns(back.Columns, table.Columns) {
			t.Fatalf("%v came back as %v", table.Columns, back.Columns)
		}
		whole := back.DropMissing()
		for row := range table.Len() {
			for _, c := range table.Columns {
				if c.Numbers != nil && math.IsNaN(c.Numbers[row]) || c.Numbers == nil && c.Text[row] == "" {
					rows--
					break
				}
			}
		}
		if whole.Len() != rows || !reflect.DeepEqual(whole.Names(), table.Names()) {
			t.Fatalf("%d of %d rows are whole; want %d", whole.Len(), table.Len(), rows)
		}
	})
	uneven := &data.Table{Columns: []data.Column{{Name: "a", Numbers: []float64{1}}, {Name: "b", Numbers: []float64{1, 2}}}}
	if err := uneven.WriteCSV(&bytes.Buffer{}); err == nil {
		t.Error("columns of different lengths: no error")
	}
}

const zoo = "legs,name,kind,weight\n4,cat,mammal,4\n2,owl,bird,1.5\n4,cow,mammal,700\n0,eel,fish,2\n"

func TestTableLabelled(t *testing.T) {
	table, err := read(t, zoo, data.CSVOptions{}).Without("name")
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range []string{"kind", table.Name(1), table.Name(-2)} {
		s, err := table.Labelled(graph.Float32, column, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.X.Float32s(), []float32{4, 4, 2, 1.5, 4, 700, 0, 2}) || !slices.Equal(s.Y.Int64s(), []int64{2, 0, 2, 1}) || s.Classes != 3 {
			t.Errorf("%+v", s)
		}
		if !slices.Equal(s.Features, []string{"legs", "weight"}) || !slices.Equal(s.Labels, []string{"bird", "fish", "mammal"}) {
			t.Errorf("features %q, labels %q", s.Features, s.Labels)
		}
		part, err := s.Select([]int{3})
		if err != nil || !slices.Equal(part.Labels, s.Labels) || !slices.Equal(part.Features, s.Features) {
			t.Errorf("a selection has features %q, labels %q; %v", part.Features, part.Labels, err)
		}
		more, err := read(t, "legs,kind,weight\n2,bird,0.1\n", data.CSVOptions{}).Labelled(graph.Float64, column, &data.Labels{Names: []string{"mammal", "bird"}})
		if err != nil || !slices.Equal(more.Y.Int64s(), []int64{1}) || more.Classes != 2 {
			t.Errorf("by given labels: %+v, %v", more, err)
		}
	}
	numbers, err := table.Labelled(graph.Float64, "legs", nil)
	if err == nil || !strings.Contains(err.Error(), `line 2, column 2 (kind): "mammal" is no number`) {
		t.Errorf("text as feature: %+v, %v", numbers, err)
	}
	kinds, err := data.FitLabels([]string{"fish", "bird", "mammal"})
	if err != nil {
		t.Fatal(err)
	}
	wide, err := table.OneHot("kind", kinds)
	if err != nil {
		t.Fatal(err)
	}
	if numbers, err = wide.Labelled(graph.Float64, "legs", nil); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(numbers.Features, []string{"kind=bird", "kind=fish", "kind=mammal", "weight"}) || !slices.Equal(numbers.X.Float64s(), []float64{0, 0, 1, 4, 1, 0, 0, 1.5, 0, 0, 1, 700, 0, 1, 0, 2}) {
		t.Errorf("one-hot columns: %q, %v", numbers.Features, numbers.X)
	}
	if !slices.Equal(numbers.Labels, []string{"0", "2", "4"}) || !slices.Equal(numbers.Y.Int64s(), []int64{2, 1, 2, 0}) {
		t.Errorf("labels of numbers: %q, %v", numbers.Labels, numbers.Y)
	}
}

func TestTableTargets(t *testing.T) {
	table, err := read(t, zoo, data.CSVOptions{}).Without("name", "kind")
	if err != nil {
		t.Fatal(err)
	}
	one, err := table.Targets(graph.Float32, "weight")
	if err != nil || one.Classes != 0 || !slices.Equal([]int(one.Y.Shape()), []int{4}) || !slices.Equal(one.Y.Float32s(), []float32{4, 1.5, 700, 2}) || one.X.Shape()[1] != 1 {
		t.Errorf("%+v, %v", one, err)
	}
	more := read(t, "a,b,c\n1,2,3\n4,5,6\n", data.CSVOptions{})
	two, err := more.Targets(graph.Float64, "c", "a")
	if err != nil || !slices.Equal([]int(two.Y.Shape()), []int{2, 2}) || !slices.Equal(two.Y.Float64s(), []float64{3, 1, 6, 4}) || !slices.Equal(two.X.Float64s(), []float64{2, 5}) {
		t.Errorf("%+v, %v", two, err)
	}
}

func TestTableTensor(t *testing.T) {
	table, err := read(t, "a,b,c\n1,2,x\n4,5,y\n", data.CSVOptions{}).Only("b", "a")
	if err != nil {
		t.Fatal(err)
	}
	x, err := table.Tensor(graph.Float32)
	if err != nil || !slices.Equal([]int(x.Shape()), []int{2, 2}) || !slices.Equal(x.Float32s(), []float32{2, 1, 5, 4}) {
		t.Errorf("%v, %v", x, err)
	}
}

func TestTableSaysWhereItIsWrong(t *testing.T) {
	table := read(t, "a,b,c\n1,x,5\n,y,6\n1e300,,7\n", data.CSVOptions{Missing: []string{""}})
	noText, err := table.Without("b")
	if err != nil {
		t.Fatal(err)
	}
	set := func(t *data.Table, dtype graph.DType, label string) func() error {
		return func() error { _, err := t.Labelled(dtype, label, nil); return err }
	}
	for _, c := range []struct {
		name string
		do   func() error
		want string
	}{
		{"a feature that is missing", set(noText, graph.Float64, "c"), "line 3, column 1 (a): the value is missing; DropMissing leaves such rows out"},
		{"a label that is missing", set(noText, graph.Float64, "a"), "line 3, column 1 (a): the label is missing"},
		{"a number too large", set(noText.DropMissing(), graph.Float32, "c"), "line 4, column 1 (a): 1e+300 is not finite as float32"},
		{"a column that is none", set(table, graph.Float64, "d"), `there is no column "d"; there are "a", "b", "c"`},
		{"a column past the last", set(table, graph.Float64, table.Name(3)), `there is no column "column 3"`},
		{"a column before the first", set(table, graph.Float64, table.Name(-4)), `there is no column "column -4"`},
		{"whole numbers", set(table, graph.Int32, "a"), "take graph.Float32 or graph.Float64"},
		{"nothing but labels", set(read(t, "a\n1\n", data.CSVOptions{}), graph.Float64, "a"), `besides ["a"] there is no column to learn from`},
		{"no rows left", set(read(t, "a,b\n1,\n", data.CSVOptions{Missing: []string{""}}).DropMissing(), graph.Float64, "a"), "has no rows"},
		{"no target", func() error { _, err := noText.Targets(graph.Float64); return err }, "name at least one"},
		{"a target that is text", func() error {
			_, err := read(t, zoo, data.CSVOptions{}).Targets(graph.Float64, "kind", "name")
			return err
		}, `is no number`},
		{"a label that is unknown", func() error {
			_, err := noText.Labelled(graph.Float64, "c", &data.Labels{Names: []string{"5", "7"}})
			return err
		}, "line 3, column 1 (a)"},
		{"a name that is unknown", func() error { _, err := table.OneHot("b", &data.Labels{Names: []string{"x"}}); return err }, `line 3, column 2 (b): "y" is none of the 1 labels ("x")`},
		{"taking what is not there", func() error { _, err := table.Only("a", "z"); return err }, `there is no column "z"`},
		{"taking a column twice", func() error { _, err := table.Only("a", "a"); return err }, `column "a" is named twice`},
		{"a tensor of nothing", func() error { _, err := new(data.Table).Tensor(graph.Float32); return err }, "there is no column"},
		{"a tensor of text", func() error { _, err := table.Tensor(graph.Float32); return err }, "column 1 (a): the value is missing"},
		{"leaving out what is not there", func() error { _, err := table.Without("z"); return err }, `there is no column "z"`},
		{"a table made by hand", func() error {
			_, err := (&data.Table{Columns: []data.Column{{Name: "a", Numbers: []float64{1, 2}}, {Name: "b", Numbers: []float64{3, math.Inf(1)}}}}).Targets(graph.Float64, "a")
			return err
		}, "row 1, column 2 (b): +Inf is not finite"},
		{"columns of other lengths", func() error {
			_, err := (&data.Table{Columns: []data.Column{{Name: "a", Numbers: []float64{1, 2}}, {Name: "b", Numbers: []float64{3}}}}).Targets(graph.Float64, "a")
			return err
		}, `column "b" has 1 cells, column "a" 2`},
	} {
		if err := c.do(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
}

// The sums are those of the files' columns, as awk adds them up.
func TestEmbedded(t *testing.T) {
	for _, c := range []struct {
		name   string
		load   func(graph.DType) (*data.Set, error)
		shape  []int
		counts []int
		labels string
		first  []float64
		sum    float64
	}{
		{"iris", data.Iris, []int{150, 4}, []int{50, 50, 50}, "setosa versicolor virginica", []float64{5.1, 3.5, 1.4, 0.2}, 2078.7},
		{"wine", data.Wine, []int{178, 13}, []int{59, 71, 48}, "cultivar 1 cultivar 2 cultivar 3", []float64{14.23, 1.71, 2.43, 15.6}, 159975.295999},
	} {
		s, err := c.load(graph.Float64)
		if err != nil {
			t.Fatal(err)
		}
		counts, err := s.Counts()
		if err != nil || !slices.Equal(counts, c.counts) || strings.Join(s.Labels, " ") != c.labels {
			t.Errorf("%s: %v of %q, %v", c.name, counts, s.Labels, err)
		}
		sum := 0.0
		for _, v := range s.X.Float64s() {
			sum += v
		}
		if !slices.Equal([]int(s.X.Shape()), c.shape) || len(s.Features) != c.shape[1] || !slices.Equal(s.X.Float64s()[:4], c.first) || math.Abs(sum-c.sum) > 1e-6 {
			t.Errorf("%s: %v, features %q, first %v, sum %v", c.name, s.X.Shape(), s.Features, s.X.Float64s()[:4], sum)
		}
		if _, err := c.load(graph.Int64); err == nil {
			t.Errorf("%s as int64: no error", c.name)
		}
		s.X.Float64s()[0] = -1
		if again, _ := c.load(graph.Float64); again.X.Float64s()[0] == -1 {
			t.Errorf("%s: what one caller writes another one reads", c.name)
		}
	}
}
