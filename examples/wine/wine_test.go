package main

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
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

// The defaults reach what is promised: 0.97 on average over 5 seeds, for test wines that are as many of each cultivar as it
// has. Without scaling the network does not even learn.
func TestAccuracyOverSeeds(t *testing.T) {
	out := t.TempDir()
	code, stdout, stderr := command("-out", out)
	if code != program.Succeeded || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	found := regexp.MustCompile(`\n  mean of 5 +(\S+) +(\S+)\n`).FindStringSubmatch(stdout)
	if found == nil || strings.Count(stdout, "\n  seed") != 5 {
		t.Fatalf("printed\n%s", stdout)
	}
	if mean, err := strconv.ParseFloat(found[1], 64); err != nil || mean < 0.97 {
		t.Errorf("mean accuracy %v, want at least 0.97\n%s", mean, stdout)
	}
	if mean, err := strconv.ParseFloat(found[2], 64); err != nil || mean > 0.8 {
		t.Errorf("without scaling %v, which is no lesson\n%s", mean, stdout)
	}
	for _, name := range []string{"loss.png", "measures.png"} {
		f, err := os.Open(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if picture, err := png.Decode(f); err != nil || picture.Bounds().Dx() < 500 {
			t.Errorf("%s: %v", name, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}

	// The saved network judges wines of a file, whose columns stand in another order and beside others.
	table, err := data.CSV(filepath.Join("..", "..", "nn", "data", "wine.csv"), data.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(table.Columns)
	bottles := filepath.Join(t.TempDir(), "bottles.csv")
	f, err := os.Create(bottles)
	if err != nil {
		t.Fatal(err)
	}
	if err := table.WriteCSV(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = command("-out", out, "-judge", bottles)
	if code != program.Succeeded || strings.Count(stdout, "\n") != 178 {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	right := 0
	for i, line := range strings.Split(strings.TrimSpace(stdout), "\n") {
		if strings.Contains(line, fmt.Sprintf("cultivar %v ", 1+table.Columns[0].Numbers[i])) {
			right++
		}
	}
	if right < 175 {
		t.Errorf("%d of 178 wines are judged rightly", right)
	}
}

// What is loaded judges as what was saved, bit for bit.
func TestSavedExpert(t *testing.T) {
	wines, err := data.Wine(graph.Float32)
	if err != nil {
		t.Fatal(err)
	}
	ctx, folder := context.Background(), t.TempDir()
	e, _, err := learn(ctx, wines, wines, true, 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.save(folder); err != nil {
		t.Fatal(err)
	}
	loaded, err := load(folder)
	if err != nil {
		t.Fatal(err)
	}
	names, sure, err := e.judge(ctx, wines.X)
	if err != nil {
		t.Fatal(err)
	}
	again, sureAgain, err := loaded.judge(ctx, wines.X)
	if err != nil || !slices.Equal(names, again) || !slices.Equal(sure, sureAgain) {
		t.Errorf("the loaded expert judges otherwise: %v", err)
	}
}

// A measure that the network cannot see has no importance, and one that alone tells the cultivars has all of it.
func TestImportance(t *testing.T) {
	wines, err := data.Wine(graph.Float32)
	if err != nil {
		t.Fatal(err)
	}
	telling := *wines
	x := make([]float32, 13*wines.Len())
	for i := range x {
		x[i] = 7
		if i%13 == 4 {
			x[i] = float32(wines.Y.Int64s()[i/13])
		}
	}
	telling.X = tensor.New(tensor.WithShape(wines.Len(), 13), tensor.WithBacking(x))
	e, _, err := learn(context.Background(), &telling, &telling, true, 20, 1)
	if err != nil {
		t.Fatal(err)
	}
	rises, err := e.importance(context.Background(), &telling, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, rise := range rises {
		if i == 4 && rise < 0.5 || i != 4 && rise != 0 {
			t.Errorf("measure %d: shuffling it raises the loss by %v", i, rise)
		}
	}
}

func TestWhatIsWrong(t *testing.T) {
	out := t.TempDir()
	bottles := filepath.Join(out, "bottles.csv")
	if err := os.WriteFile(bottles, []byte("alcohol,hue\n13,1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := command("-out", out, "-judge", bottles); code != program.Failed || !strings.Contains(stderr, "run without -judge first") {
		t.Errorf("no network: exit code %d, %s", code, stderr)
	}
	if code, _, stderr := command("-out", out, "-epochs", "1", "-seeds", "1"); code != program.Succeeded {
		t.Fatal(stderr)
	}
	for args, want := range map[string]string{
		bottles:                           `there is no column "malic_acid"; there are "alcohol", "hue"`,
		filepath.Join(out, "nowhere.csv"): "nowhere.csv",
	} {
		if code, _, stderr := command("-out", out, "-judge", args); code != program.Failed || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s; want %q", args, code, stderr, want)
		}
	}
	code, stdout, _ := command("-h")
	for _, name := range []string{"-epochs ", "-seeds ", "-seed ", "-judge ", "-out "} {
		if code != program.Succeeded || !strings.Contains(stdout, "\n  "+name) {
			t.Errorf("-h does not explain %s", name)
		}
	}
}
