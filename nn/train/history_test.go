package train_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tapir-ml/tapir/nn/train"
	"pgregory.net/rapid"
)

// What CSV writes is read again, with its bits.
func TestHistoryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := func() float64 {
			return rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)})).Draw(t, "number")
		}
		h := &train.History{Names: []string{"loss", "accuracy"}}
		validated := rapid.Bool().Draw(t, "validated")
		measures := func() train.Measures { return train.Measures{"loss": number(), "accuracy": number()} }
		for i := range rapid.IntRange(0, 5).Draw(t, "epochs") {
			e := train.Epoch{Epoch: i + 1, Steps: 10 * i, Rate: number(), Train: measures()}
			if validated {
				e.Validation = measures()
			}
			h.Epochs = append(h.Epochs, e)
		}
		back, err := train.ParseHistory(h.CSV())
		if err != nil || fmt.Sprintf("%v %v", back.Names, back.Epochs) != fmt.Sprintf("%v %v", h.Names, h.Epochs) || back.CSV() != h.CSV() {
			t.Errorf("%v\n%+v\n%+v", err, back, h)
		}
	})
	for _, text := range []string{"", "a,b,c,d\n", "epoch,steps,rate,loss\n", "epoch,steps,rate,train.loss\n1,2,x,3\n", "epoch,steps,rate,train.loss\n1,2\n"} {
		if h, err := train.ParseHistory(text); err == nil {
			t.Errorf("%q read as %+v", text, h)
		}
	}
}

// curves is a history of losses, f(epoch from 0) and, if it is not nil, v(epoch).
func curves(epochs int, f, v func(x float64) float64) *train.History {
	h := &train.History{Names: []string{"loss"}}
	for i := range epochs {
		e := train.Epoch{Epoch: i + 1, Train: train.Measures{"loss": f(float64(i))}}
		if v != nil {
			e.Validation = train.Measures{"loss": v(float64(i))}
		}
		h.Epochs = append(h.Epochs, e)
	}
	return h
}

func TestVerdict(t *testing.T) {
	decay := func(from, to, rate float64) func(float64) float64 {
		return func(x float64) float64 { return to + (from-to)*math.Exp(-x*rate) }
	}
	valley := func(x float64) float64 { return 0.4 + 0.002*(x-10)*(x-10) }
	for _, c := range []struct {
		name   string
		h      *train.History
		begins string
		has    string
	}{
		{"too short", curves(4, decay(2, 0.1, 1), nil), "", ""},
		{"a valley", curves(40, decay(2, 0.01, 0.3), valley), "Overfitting", "since epoch 11"},
		{"a gap", curves(60, decay(2, 0.01, 0.5), decay(2, 0.9, 0.5)), "Overfitting", "stays at 0.9"},
		{"flat", curves(30, decay(2.3, 2.2, 0.3), decay(2.3, 2.25, 0.3)), "Underfitting", "from 2.3 to 2.2"},
		{"at the edge", curves(20, decay(2.3, 0, 0.05), func(x float64) float64 { return 1 + 0.0006*(x-12)*(x-12) }), "At the edge of overfitting", "least in epoch 13"},
		{"falling", curves(20, decay(2.3, 0, 0.05), decay(2.3, 0, 0.04)), "Still learning", "More epochs"},
		{"settled", curves(50, decay(2.3, 0.1, 0.5), decay(2.3, 0.12, 0.5)), "A good fit", "validation loss 0.12"},
		{"without validation", curves(50, decay(2.3, 0.1, 0.5), nil), "The training loss has settled", "validation set"},
		{"no number", curves(6, decay(2, 0.5, 3), func(x float64) float64 { return math.NaN() }), "The validation loss is NaN", ""},
	} {
		got := c.h.Verdict()
		if !strings.HasPrefix(got, c.begins) || !strings.Contains(got, c.has) || (c.begins == "") != (got == "") {
			t.Errorf("%s: %q, want %q … %q", c.name, got, c.begins, c.has)
		}
	}
}
