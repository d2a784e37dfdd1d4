// Command charlm is a language model of letters: a small recurrent network (GRU) reads a story and guesses, letter by letter, how it
// goes on. Then it tells one. Telling is a program too: what the network remembers, the last letter and the dice are variables that the tape
// updates, so that each run says one letter. charlm.go has the network, main.go what it does.
//
//	go run ./examples/charlm
package main

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"strings"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

// The story was written for this example.
//
//go:embed story.txt
var story string

const (
	window  = 48 // letters that the network reads at a time
	warmUp  = 8  // of them at the start, which are not guessed: the network has to know where it is
	scored  = window - warmUp
	heldOut = 0.12 // of the story, its end, which it does not learn from
)

// alphabet numbers the letters of a text.
type alphabet struct {
	letters []rune
	number  map[rune]int64
}

func alphabetOf(text string) *alphabet {
	a := &alphabet{number: map[rune]int64{}}
	for _, r := range text {
		if _, ok := a.number[r]; !ok {
			a.number[r] = int64(len(a.letters))
			a.letters = append(a.letters, r)
		}
	}
	return a
}

// encode numbers a text. It fails at a letter that is not in the alphabet.
func (a *alphabet) encode(text string) ([]int64, error) {
	var ids []int64
	for _, r := range text {
		id, ok := a.number[r]
		if !ok {
			return nil, fmt.Errorf("the story has no letter %q; it has %q", r, string(a.letters))
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// writer is the network, and the machines that run it over one state.
type writer struct {
	alphabet *alphabet
	read     *graph.Node // (batch, window+1) letters: each but the first is what is to be guessed from those before it
	logits   *graph.Node // of the letter behind each: (batch, window, letters)
	loss     *graph.Node // mean over the letters that are scored, in nats

	next    *graph.Node // the letter that it says, (1)
	heard   *graph.Node // input: a letter that it is told, (1)
	trainer *vm.Machine
	asker   *vm.Machine
	listens *vm.Machine // takes in a letter
	speaks  *vm.Machine // says one, and takes it in
	state   *vm.State
	rate    optim.Schedule
	steps   int
}

func newWriter(a *alphabet, hidden, steps int, seed uint64) (*writer, error) {
	g, batch := graph.New(), graph.Symbol("batch")
	w := &writer{alphabet: a, read: g.Input("read", graph.Int64, batch, window+1), heard: g.Input("heard", graph.Int64, 1)}
	letters := len(a.letters)
	embedding, gru, output := &nn.Embedding{Entries: letters, Size: 32}, &nn.GRU{Hidden: hidden}, &nn.Linear{Out: letters}
	scope := nn.Root(g, "")
	// guess maps letters, (batch, length), to logits for the ones behind them, from what is remembered to what is then remembered.
	guess := func(letters *graph.Node, memory []*graph.Node) (logits *graph.Node, after []*graph.Node) {
		h, after := gru.Unroll(scope.Child("gru"), scope.Apply("embedding", embedding, letters), memory)
		return scope.Apply("output", output, h), after
	}

	w.logits, _ = guess(ops.Slice(w.read, 1, 0, window), nil)
	w.loss = losses.CrossEntropy(ops.Slice(w.logits, 1, warmUp, window), ops.Slice(w.read, 1, warmUp+1, window+1), losses.Options{ClassAxis: -1})
	weights := g.Params()
	gradients, _ := optim.ClipByGlobalNorm(autodiff.Grad(w.loss, weights...), 1)
	updates := optim.Adam{}.Updates(weights, gradients)

	// The same network, one letter at a time.
	memory, last := g.Variable("memory", graph.Float32, graph.Zeros(), 1, graph.Dim(hidden)), g.Variable("last", graph.Int64, graph.Zeros(), 1)
	boldness := g.Variable("boldness", graph.Float32, graph.Full(1))
	guesses, told := guess(ops.Reshape(last, 1, 1), []*graph.Node{memory})
	w.next = ops.Categorical(ops.StepKey(g, "dice"), 0, ops.Div(ops.At(guesses, 1, 0), boldness))

	w.rate = optim.OneCycle(0.01, steps)
	var err error
	if w.state, err = vm.NewState(g, seed); err != nil {
		return nil, err
	}
	for _, c := range []struct {
		machine **vm.Machine
		spec    vm.Spec
	}{
		{&w.trainer, vm.Spec{Outputs: []*graph.Node{w.loss}, Updates: updates, Mode: vm.Train}},
		{&w.asker, vm.Spec{Outputs: []*graph.Node{w.loss, w.logits}}},
		{&w.listens, vm.Spec{Updates: []graph.Update{{Target: memory, Value: told[0]}, {Target: last, Value: w.heard}}}},
		{&w.speaks, vm.Spec{Outputs: []*graph.Node{w.next}, Updates: []graph.Update{{Target: memory, Value: told[0]}, {Target: last, Value: w.next}}, Mode: vm.Train}}, // Train moves the dice
	} {
		p, err := vm.Compile(c.spec)
		if err != nil {
			return nil, err
		}
		if *c.machine, err = vm.NewMachine(p, w.state); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// learn makes one step with windows of the text, and returns the loss before it.
func (w *writer) learn(ctx context.Context, windows graph.Array) (float64, error) {
	if err := w.state.Set("adam.lr", w.rate(w.steps)); err != nil {
		return 0, err
	}
	w.steps++
	return w.run(ctx, w.trainer, windows)
}

func (w *writer) run(ctx context.Context, m *vm.Machine, windows graph.Array) (float64, error) {
	if err := m.Feed(w.read, windows); err != nil {
		return 0, err
	}
	if err := m.Run(ctx); err != nil {
		return 0, err
	}
	return m.Scalar(w.loss)
}

// perplexity is among how many letters, equally likely, the network seems to choose when it guesses the letters of a text.
func (w *writer) perplexity(ctx context.Context, text []int64) (float64, error) {
	var starts []int
	for at := 0; at+window+1 <= len(text); at += scored { // each letter is scored once
		starts = append(starts, at)
	}
	loss, err := w.run(ctx, w.asker, windowsAt(text, starts))
	return math.Exp(loss), err
}

// windowsAt copies windows of a text.
func windowsAt(text []int64, starts []int) graph.Array {
	a := graph.NewArray(graph.Int64, len(starts), window+1)
	for i, at := range starts {
		copy(a.I64()[i*(window+1):], text[at:at+window+1])
	}
	return a
}

// tell begins with a text and goes on for n letters. A boldness below 1 keeps to what is likely, one above 1 takes chances.
func (w *writer) tell(ctx context.Context, begin string, n int, boldness float64) (string, error) {
	ids, err := w.alphabet.encode(begin)
	if err != nil {
		return "", err
	}
	if len(ids) == 0 {
		return "", fmt.Errorf("it needs a letter at least to begin with")
	}
	size := w.hidden()
	if err := w.state.SetAll(map[string]any{"memory": graph.NewArray(graph.Float32, 1, size), "last": ids[:1], "boldness": boldness}); err != nil {
		return "", err
	}
	for _, id := range ids[1:] {
		if err := w.listens.Feed(w.heard, []int64{id}); err != nil {
			return "", err
		}
		if err := w.listens.Run(ctx); err != nil {
			return "", err
		}
	}
	var b strings.Builder
	b.WriteString(begin)
	for range n {
		if err := w.speaks.Run(ctx); err != nil {
			return "", err
		}
		id, err := w.speaks.Scalar(w.next)
		if err != nil {
			return "", err
		}
		b.WriteRune(w.alphabet.letters[int(id)])
	}
	return b.String(), nil
}

func (w *writer) hidden() int {
	v, err := w.state.Get("memory")
	if err != nil {
		return 0
	}
	return v.Shape()[1]
}
