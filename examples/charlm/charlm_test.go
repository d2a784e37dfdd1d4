package main

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/examples/internal/program"
)

var ctx = context.Background()

// What is held out is guessed far better than by the frequencies of pairs of letters, and a story is told in words of the story.
func TestGuessesWhatItHasNotRead(t *testing.T) {
	out := t.TempDir()
	var stdout, stderr bytes.Buffer
	if code := newProgram().Command(ctx, []string{"-epochs", "5", "-hidden", "48", "-letters", "200", "-out", out}, &stdout, &stderr); code != program.Succeeded {
		t.Fatalf("exit %d, %s", code, stderr.String())
	}
	found := regexp.MustCompile(`(?s)perplexity of (\S+); by the letter before each, (\S+)\.\n.*Held-out perplexity (\S+) after`).FindStringSubmatch(stdout.String())
	if found == nil {
		t.Fatal(stdout.String())
	}
	var v [3]float64
	for i := range v {
		var err error
		if v[i], err = strconv.ParseFloat(found[i+1], 64); err != nil {
			t.Fatal(err)
		}
	}
	if v[2] > 4 || v[2] > v[1]*0.6 || v[1] > v[0] {
		t.Errorf("perplexities: by letters %v, by pairs %v, by the network %v", v[0], v[1], v[2])
	}
	_, told, _ := strings.Cut(stdout.String(), "s.\n\n")
	told, _, _ = strings.Cut(told, " …\n")
	words, real := strings.Fields(told), 0
	for _, w := range words {
		if strings.Contains(story, w) {
			real++
		}
	}
	if len(told) < 200 || float64(real) < 0.8*float64(len(words)) {
		t.Errorf("%d of %d words are words of the story:\n%s", real, len(words), told)
	}
	f, err := os.Open(filepath.Join(out, "perplexity.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := png.Decode(f); err != nil {
		t.Error(err)
	}
}

// Letter by letter, with its memory in the state, the network is the one that was unrolled over a window.
func TestTellingIsTheSameNetwork(t *testing.T) {
	a := alphabetOf(story)
	w, err := newWriter(a, 16, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	text, err := a.encode(story)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.run(ctx, w.asker, windowsAt(text, []int{7})); err != nil {
		t.Fatal(err)
	}
	logits, err := w.asker.Value(w.logits)
	if err != nil {
		t.Fatal(err)
	}
	all := logits.Float32s()
	row := all[len(all)-len(a.letters):]
	likely := 0
	for i, v := range row {
		if v > row[likely] {
			likely = i
		}
	}
	begin := string([]rune(story)[7 : 7+window])
	told, err := w.tell(ctx, begin, 1, 1e-4) // so timid that it says what is likeliest
	if err != nil {
		t.Fatal(err)
	}
	if want := begin + string(a.letters[likely]); told != want {
		t.Errorf("told %q, unrolled it would be %q", told, want)
	}
}

func TestDiceAndMistakes(t *testing.T) {
	tell := func(seed uint64) string {
		w, err := newWriter(alphabetOf(story), 16, 10, seed)
		if err != nil {
			t.Fatal(err)
		}
		told, err := w.tell(ctx, "the", 60, 1)
		if err != nil {
			t.Fatal(err)
		}
		return told
	}
	if first, again, other := tell(1), tell(1), tell(2); first != again || first == other {
		t.Error("what is told is not a function of the seed")
	}
	for _, c := range []struct{ begin, want string }{{"Tapir", `the story has no letter 'T'`}, {"", "needs a letter"}} {
		w, err := newWriter(alphabetOf(story), 16, 10, 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.tell(ctx, c.begin, 1, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.begin, err, c.want)
		}
	}
	var stderr bytes.Buffer
	if code := newProgram().Command(ctx, []string{"-begin", "X", "-out", t.TempDir()}, &stderr, &stderr); code != program.Failed || !strings.Contains(stderr.String(), "-begin: the story has no letter 'X'") {
		t.Errorf("exit %d, %s", code, stderr.String())
	}
}
