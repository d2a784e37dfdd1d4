package vm_test

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// explained compiles the training step of a network, and writes its page.
func explained(t *testing.T, o vm.ExplainOptions, profile bool) (page string, p *vm.Program) {
	t.Helper()
	g, batch := graph.New(), graph.Symbol("batch")
	x, y := g.Input("<script>alert(1)</script>", graph.Float32, batch, 20), g.Input("y", graph.Int64, batch)
	logits := nn.Build(g, nn.Sequential{&nn.Linear{Out: 16}, nn.ReLU, &nn.Linear{Out: 10}}, x)
	loss := losses.CrossEntropy(logits, y)
	var e vm.Explanation
	p = compile(t, vm.Spec{Outputs: []*graph.Node{loss}, Updates: optim.Adam{}.Updates(g.Params(), autodiff.Grad(loss, g.Params()...)), Mode: vm.Train, Explain: &e})
	if profile {
		m := newMachine(t, p, newState(t, g))
		o.Profile = m.StartProfile()
		for range 3 {
			if err := m.FeedAll(vm.Feeds{x: graph.NewArray(graph.Float32, 8, 20), y: make([]int64, 8)}); err != nil {
				t.Fatal(err)
			}
			run(t, m)
		}
	}
	var b bytes.Buffer
	if err := e.WriteHTML(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.String(), p
}

func TestExplain(t *testing.T) {
	batch := graph.Binding{graph.Symbol("batch"): 100}
	page, p := explained(t, vm.ExplainOptions{Binding: batch}, true)
	for _, pass := range vm.Passes() {
		if !strings.Contains(page, "<b>"+pass.Name+"</b>") {
			t.Errorf("no column for pass %s", pass.Name)
		}
	}
	for _, operation := range operations(p) {
		name, _, _ := strings.Cut(operation, "(")
		if !strings.Contains(page, name+"(") {
			t.Errorf("no instruction %s", operation)
		}
	}
	if n := strings.Count(page, `<td class="bar">`); n != p.Len() {
		t.Errorf("%d times for %d instructions", n, p.Len())
	}
	for _, want := range []string{"sum-of-one", "writes the state: in the commit phase a product would keep readers of the state waiting", "batch 100", "runs measured</dt><dd>3",
		"explain_test.go:", "(gradient of "} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "<script>alert") || !strings.Contains(page, "&lt;script&gt;alert(1)") {
		t.Error("a name is not escaped")
	}
	for _, far := range []string{"http://", "https://", "src="} {
		if strings.Contains(page, far) {
			t.Errorf("the page needs something from elsewhere: %s", far)
		}
	}

	// The picture reaches up to what the program says it needs.
	memory, err := p.Memory(batch)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(page, "<rect "); n == 0 || n != strings.Count(page, "<rect data-line=\"explain_test.go:") {
		t.Error("a place in memory does not say which line it belongs to, so that a click marks nothing elsewhere")
	}
	top := 0
	for _, m := range regexp.MustCompile(`<title>\w+: (\d+) bytes at (\d+),`).FindAllStringSubmatch(page, -1) {
		size, _ := strconv.Atoi(m[1])
		at, _ := strconv.Atoi(m[2])
		top = max(top, at+size)
	}
	if top > memory || top < memory-64 {
		t.Errorf("the picture ends at %d, the program needs %d bytes", top, memory)
	}

	again, _ := explained(t, vm.ExplainOptions{Binding: batch}, false)
	third, _ := explained(t, vm.ExplainOptions{Binding: batch}, false)
	if again != third {
		t.Error("the same compilation gives another page")
	}
}

// Why a product has nothing fused to it.
func TestExplainSaysWhyAProductStaysAlone(t *testing.T) {
	g, n := graph.New(), graph.Symbol("n")
	x, w := g.Input("x", graph.Float32, n, 4), g.Param("w", graph.Float32, graph.Full(1), 4, 4)
	product := ops.MatMul(x, w)
	for _, c := range []struct {
		outputs []*graph.Node
		why     string
	}{
		{[]*graph.Node{product, ops.ReLU(product)}, "its value itself is asked for, as an output"},
		{[]*graph.Node{ops.ReLU(product), ops.MatMul(product, w)}, "2 instructions read it: "},
		{[]*graph.Node{ops.MatMul(product, w)}, "is another product"},
		{[]*graph.Node{ops.Max(product, 0)}, "is no pointwise operator"},
		{[]*graph.Node{ops.Exp(ops.Reshape(product, -1))}, "reads it under another shape"},
		{[]*graph.Node{ops.ReLU(product)}, "None: every product has taken in something"},
	} {
		var e vm.Explanation
		compile(t, vm.Spec{Outputs: c.outputs, Explain: &e})
		var b strings.Builder
		if err := e.WriteHTML(&b, vm.ExplainOptions{}); err != nil || !strings.Contains(b.String(), c.why) {
			t.Errorf("no %q (%v)", c.why, err)
		}
	}
}

func TestExplainLargeAndLeftOut(t *testing.T) {
	g := graph.New()
	x := g.Input("x", graph.Float32, graph.Symbol("n"), 16)
	y := x
	for i := range 1000 {
		y = ops.Tanh(ops.MatMul(y, g.Param(fmt.Sprint("w", i), graph.Float32, graph.Full(0.1), 16, 16)))
	}
	var e vm.Explanation
	compile(t, vm.Spec{Outputs: []*graph.Node{y}, Explain: &e, Without: []string{"affine"}})
	var b bytes.Buffer
	if err := e.WriteHTML(&b, vm.ExplainOptions{}); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 4<<20 || !strings.Contains(b.String(), "more lines, which are not shown") || !strings.Contains(b.String(), "<b>affine</b> was left out") {
		t.Errorf("a page of %d bytes", b.Len())
	}
	if err := new(vm.Explanation).WriteHTML(&b, vm.ExplainOptions{}); err == nil || !strings.Contains(err.Error(), "Spec.Explain") {
		t.Errorf("an explanation of nothing: %v", err)
	}
}

func TestNotebooksShow(t *testing.T) {
	g := graph.New()
	x := g.Input("x<y", graph.Float32, 4)
	var e vm.Explanation
	p := compile(t, vm.Spec{Outputs: []*graph.Node{ops.Exp(x)}, Explain: &e})
	m := newMachine(t, p, newState(t, g))
	profile := m.StartProfile()
	if err := m.Feed(x, make([]float32, 4)); err != nil {
		t.Fatal(err)
	}
	run(t, m)
	for _, c := range []map[string]interface{}{p.SimpleRender(), profile.SimpleRender(), e.SimpleRender()} {
		if text, _ := c["text/plain"].(string); !strings.Contains(text, "exp(x<y)") {
			t.Errorf("as text: %v", text)
		}
		if page, _ := c["text/html"].(string); !strings.Contains(page, "exp(x") || strings.Contains(page, "x<y") {
			t.Errorf("as HTML: %v", page)
		}
	}
}

var column = regexp.MustCompile(`<(section|div) class="pass( quiet)?"`)

// A real browser shows the page, light and dark, without an error in its console.
func TestExplainInABrowser(t *testing.T) {
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" || testing.Short() {
		t.Skip("no Chromium here; what it would show can be seen with go run ./examples/digits -explain page.html")
	}
	folder := t.TempDir()
	page, _ := explained(t, vm.ExplainOptions{}, true)
	file := filepath.Join(folder, "page.html")
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	show := func(flags ...string) string {
		t.Helper()
		flags = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--user-data-dir=" + filepath.Join(folder, "profile"),
			"--enable-logging=stderr", "--window-size=1366,768"}, append(flags, "file://"+file)...)
		c := exec.CommandContext(t.Context(), browser, flags...)
		c.WaitDelay = time.Second
		var stdout, stderr bytes.Buffer
		c.Stdout, c.Stderr = &stdout, &stderr
		if err := c.Run(); err != nil {
			t.Skipf("the browser does not start here: %v\n%s", err, stderr.String())
		}
		if strings.Contains(stderr.String(), "CONSOLE") {
			t.Errorf("the browser's console: %s", stderr.String())
		}
		return stdout.String()
	}
	if dom := show("--dump-dom"); len(column.FindAllString(dom, -1)) != len(vm.Passes()) || !strings.Contains(dom, "</html>") {
		t.Errorf("the browser sees %d columns for %d passes", len(column.FindAllString(dom, -1)), len(vm.Passes()))
	}
	var shots [2][]byte
	for i, scheme := range []string{"1", "0"} { // light, dark
		picture := filepath.Join(folder, "shot"+scheme+".png")
		show("--hide-scrollbars", "--blink-settings=preferredColorScheme="+scheme, "--screenshot="+picture)
		shot, err := os.ReadFile(picture)
		if err != nil {
			t.Fatal(err)
		}
		shots[i] = shot
		decoded, err := png.Decode(bytes.NewReader(shot))
		if err != nil || decoded.Bounds().Dx() != 1366 {
			t.Errorf("screenshot: %v", err)
			continue
		}
		r, _, _, _ := decoded.At(1360, 5).RGBA()
		if isLight := r > 0x8000; isLight != (scheme == "1") {
			t.Errorf("colour scheme %s: the paper's red is %#x", scheme, r)
		}
	}
	if bytes.Equal(shots[0], shots[1]) {
		t.Error("light and dark look the same")
	}
}
