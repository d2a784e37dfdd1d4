package main

import (
	"bytes"
	"context"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/examples/internal/program"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"gorgonia.org/tensor"
)

func command(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = newProgram().Command(context.Background(), args, &out, &err)
	return code, out.String(), err.String()
}

// smallFiles writes the digits that nn/data carries, 8×8 pixels, as IDX files.
func smallFiles(t *testing.T) (images, labels string) {
	t.Helper()
	digits, err := data.Digits(graph.Float32)
	if err != nil {
		t.Fatal(err)
	}
	pixels, answers := make([]uint8, 64*digits.Len()), make([]uint8, digits.Len())
	for i, v := range digits.X.Float32s() {
		pixels[i] = uint8(v)
	}
	for i, v := range digits.Y.Int64s() {
		answers[i] = uint8(v)
	}
	folder := t.TempDir()
	write := func(name string, values []uint8, shape ...int) string {
		path := filepath.Join(folder, name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := data.WriteIDX(f, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("images", pixels, digits.Len(), 8, 8), write("labels", answers, digits.Len())
}

var testAccuracy = regexp.MustCompile(`test accuracy (\d\.\d{4})`)

func accuracies(t *testing.T, stdout string) (all []float64) {
	t.Helper()
	for _, found := range testAccuracy.FindAllStringSubmatch(stdout, -1) {
		v, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

func TestSmallFiles(t *testing.T) {
	images, labels := smallFiles(t)
	out := t.TempDir()
	code, stdout, stderr := command("-images", images, "-labels", labels, "-out", out)
	if got := accuracies(t, stdout); code != program.Succeeded || stderr != "" || len(got) != 1 || got[0] < 0.95 {
		t.Fatalf("exit code %d, %s\n%s", code, stderr, stdout)
	}
	if !strings.Contains(stdout, "Images    1527 to train with, 270 to test with\nNetwork   64-128-10 relu") {
		t.Errorf("printed\n%s", stdout)
	}
	for _, name := range []string{"loss.png", "misread.png", "weights.png"} {
		f, err := os.Open(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if picture, err := png.Decode(f); err != nil || picture.Bounds().Dx() < 200 {
			t.Errorf("%s: %v", name, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}

	// The four files in a folder are the other way: what to train with and to test with is given.
	folder := t.TempDir()
	for from, to := range map[string][]string{images: {"train-images-idx3-ubyte", "t10k-images-idx3-ubyte"}, labels: {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"}} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range to {
			if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	code, stdout, stderr = command("-dir", folder, "-out", out, "-epochs", "3", "-seeds", "2")
	if got := accuracies(t, stdout); code != program.Succeeded || len(got) != 3 || got[2] < 0.9 || !strings.Contains(stdout, "over 2 seeds") {
		t.Errorf("four files: exit code %d, %s\n%s", code, stderr, stdout)
	}
}

// realImages names MNIST's own test images and labels: in the folder that TAPIR_MNIST names, else beside the checkout.
func realImages(t *testing.T) (images, labels string) {
	t.Helper()
	dir := os.Getenv("TAPIR_MNIST")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data", "mnist")
	}
	images, labels = filepath.Join(dir, "t10k-images-idx3-ubyte.gz"), filepath.Join(dir, "t10k-labels-idx1-ubyte.gz")
	if _, err := os.Stat(images); err != nil {
		t.Skipf("MNIST's own images are not here (%v); TAPIR_MNIST may name their folder", err)
	}
	return images, labels
}

// MNIST's own 10,000 test images, 8,500 to train with and 1,500 to test with; the mean of more seeds is held behind -tags long.
// PyTorch's mean for this network is 0.947.
func TestRealImages(t *testing.T) {
	images, labels := realImages(t)
	code, stdout, stderr := command("-images", images, "-labels", labels, "-out", t.TempDir())
	if got := accuracies(t, stdout); code != program.Succeeded || len(got) != 1 || got[0] < 0.94 {
		t.Errorf("exit code %d, %s\n%s", code, stderr, stdout)
	}
}

// interrupter ends the run as soon as it prints a word.
type interrupter struct {
	bytes.Buffer
	word string
	stop func()
}

func (i *interrupter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(i.word)) {
		i.stop()
	}
	return i.Buffer.Write(p)
}

// A run that was interrupted and goes on ends with the accuracy of one that was not.
func TestKept(t *testing.T) {
	images, labels := smallFiles(t)
	args := []string{"-images", images, "-labels", labels, "-epochs", "10", "-out", t.TempDir()}
	_, stdout, _ := command(args...)
	want := accuracies(t, stdout)

	args = append(args, "-keep", filepath.Join(t.TempDir(), "run"))
	ctx, cancel := context.WithCancel(context.Background())
	printed := &interrupter{word: "epoch  4/10", stop: cancel}
	if code := newProgram().Command(ctx, args, printed, io.Discard); code != program.Interrupted || !strings.Contains(printed.String(), "the same run started again goes on from there") {
		t.Fatalf("exit code %d\n%s", code, printed)
	}
	code, stdout, stderr := command(args...)
	if code != program.Succeeded || strings.Contains(stdout, "epoch  1/10") || !strings.Contains(stdout, "going on in epoch") {
		t.Fatalf("exit code %d, %s\n%s", code, stderr, stdout)
	}
	if got := accuracies(t, stdout); !slices.Equal(got, want) {
		t.Errorf("went on to an accuracy of %v; without the interruption it is %v", got, want)
	}
}

func TestMistakes(t *testing.T) {
	logits := []float32{0, 1, 5, 0, 0, 3}
	wrong := mistakes(logits, []int64{1, 0, 1}, []int64{0, 1, 1})
	if len(wrong) != 2 || wrong[0].image != 1 || wrong[0].answer != 0 || wrong[0].truth != 1 || wrong[1].image != 0 || wrong[0].sure < wrong[1].sure {
		t.Errorf("%+v", wrong)
	}
}

func TestWhatIsWrong(t *testing.T) {
	images, labels := smallFiles(t)
	empty := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-dir", empty}, "are not all in the folder"},
		{[]string{"-images", images}, "-images and -labels go together"},
		{[]string{"-images", labels, "-labels", labels}, "images are (n, rows, columns)"},
		{[]string{"-images", images, "-labels", labels, "-download"}, "-download fetches four files"},
		{[]string{"-images", images, "-labels", labels, "-keep", "x", "-seeds", "2"}, "-keep keeps one run"},
		{[]string{"-dir", empty, "-download", "-url", "http://127.0.0.1:1/%"}, "train-images-idx3-ubyte.gz"},
		{[]string{"-lr", "0"}, "-lr"},
	} {
		code, stdout, stderr := command(append(c.args, "-out", t.TempDir())...)
		if code == program.Succeeded || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d, %s%s; want %q", c.args, code, stdout, stderr, c.want)
		}
	}
	code, stdout, _ := command("-h")
	for _, name := range []string{"dir", "download", "url", "images", "labels", "epochs", "batch", "lr", "seed", "seeds", "keep", "out"} {
		if code != program.Succeeded || !strings.Contains(stdout, "\n  -"+name+" ") && !strings.Contains(stdout, "\n  -"+name+"\n") {
			t.Errorf("-h does not explain -%s", name)
		}
	}
}
