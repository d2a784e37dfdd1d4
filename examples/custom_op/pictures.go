package main

import (
	"context"
	"fmt"
	"image/color"
	"math"

	"github.com/tapir-ml/tapir/examples/internal/figure"
	"github.com/tapir-ml/tapir/nn/data"
)

// neuronPicture draws one pattern of each class, and below it what the neuron does whose firing differs most between the classes.
func neuronPicture(path string, n *network, test *data.Set) error {
	if _, err := n.run(context.Background(), n.asker, test); err != nil {
		return err
	}
	potential, err := n.asker.Value(n.potential)
	if err != nil {
		return err
	}
	fired, err := n.asker.Value(n.fired)
	if err != nil {
		return err
	}
	v, s := potential.Float32s(), fired.Float32s()
	neuron := mostTelling(s, test.Y.Int64s())

	var rows [2][]*figure.Plot
	for class, title := range []string{"upwards", "downwards"} {
		example := 0
		for test.Y.Int64s()[example] != int64(class) {
			example++
		}
		var when, channel, time, trace, firing, peak []float64
		for t := range duration {
			for c := range channels {
				if test.X.Float32s()[(example*duration+t)*channels+c] > 0 {
					when, channel = append(when, float64(t)), append(channel, float64(c))
				}
			}
			at := (example*duration+t)*hidden + neuron
			time, trace = append(time, float64(t)), append(trace, float64(v[at]))
			if s[at] > 0 {
				firing, peak = append(firing, float64(t)), append(peak, float64(v[at]))
			}
		}
		raster := figure.New("A wave that runs "+title, "", "channel").Dots("", figure.Blue, 1.8, when, channel)
		raster.X.Min, raster.X.Max, raster.Y.Min, raster.Y.Max = 0, duration-1, -1, channels
		membrane := figure.New(fmt.Sprintf("Neuron %d: %s", neuron, count(len(firing), "spike")), "step of time", "potential").
			Line("", figure.Blue, time, trace).
			Dashed("", figure.Grey, []float64{0, duration - 1}, []float64{threshold, threshold}).
			Dots("", figure.Orange, 3, firing, peak)
		rows[0], rows[1] = append(rows[0], raster), append(rows[1], membrane)
	}
	for _, p := range rows[1] { // one scale for both
		p.Y.Min, p.Y.Max = min(rows[1][0].Y.Min, rows[1][1].Y.Min), max(rows[1][0].Y.Max, rows[1][1].Y.Max)
	}
	return figure.Write(path, 10, 6.5, rows[:]...)
}

// mostTelling returns the neuron whose number of spikes differs most between the classes, in the mean.
func mostTelling(fired []float32, classes []int64) int {
	var sums [hidden]float64
	var examples [2]float64
	for _, class := range classes {
		examples[class]++
	}
	for example, class := range classes {
		for i, s := range fired[example*duration*hidden:][:duration*hidden] {
			sums[i%hidden] += float64(s) * float64(1-2*class) / examples[class]
		}
	}
	best := 0
	for i, d := range sums {
		if math.Abs(d) > math.Abs(sums[best]) {
			best = i
		}
	}
	return best
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// lossPicture plots loss and accuracy side by side, for training and validation.
func lossPicture(path string, history []epoch) error {
	loss, accuracy := figure.New("Loss (cross-entropy, nats)", "epoch", "").WholeTicks(), figure.New("Accuracy (%)", "epoch", "").WholeTicks()
	for _, c := range []struct {
		name string
		ink  color.Color
		of   func(epoch) score
	}{
		{"training", figure.Blue, func(e epoch) score { return e.train }},
		{"validation", figure.Orange, func(e epoch) score { return e.validation }},
	} {
		var l, a []float64
		for _, e := range history {
			l, a = append(l, c.of(e).loss), append(a, 100*c.of(e).accuracy)
		}
		loss.Line(c.name, c.ink, nil, l)
		accuracy.Line(c.name, c.ink, nil, a)
	}
	for _, p := range []*figure.Plot{loss, accuracy} {
		p.X.Min, p.X.Max = 0, max(p.X.Max, 2)
	}
	loss.Legend.Top, loss.Y.Min, accuracy.Y.Max = true, 0, 102
	return figure.Write(path, 10, 4, []*figure.Plot{loss, accuracy})
}
