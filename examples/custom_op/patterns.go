package main

import (
	"math/rand/v2"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
)

// The size of a pattern: spikes of some channels over some steps of time.
const (
	duration = 32
	channels = 16
)

// patterns draws examples of two classes, as spikes (1) and silence (0): (examples, duration, channels). A wave runs over the
// channels, upwards in class 0 and downwards in class 1; each channel fires once, give or take two steps, and now and then by
// chance. How often a channel fires tells nothing about the class: only the order does.
func patterns(examples int, seed uint64) *data.Set {
	random := rand.New(rand.NewPCG(seed, 0x5e9))
	x, y := graph.NewArray(graph.Float32, examples, duration, channels), graph.NewArray(graph.Int64, examples)
	for example := range examples {
		class := random.IntN(2)
		y.I64()[example] = int64(class)
		spikes := x.F32()[example*duration*channels:][:duration*channels]
		start, pace := 2+random.IntN(5), 1.3+0.3*random.Float64()
		for channel := range channels {
			place := channel
			if class == 1 {
				place = channels - 1 - channel
			}
			t := start + int(pace*float64(place)) + random.IntN(5) - 2
			spikes[min(max(t, 0), duration-1)*channels+channel] = 1
		}
		for i := range spikes {
			if random.Float64() < 0.02 {
				spikes[i] = 1
			}
		}
	}
	return &data.Set{X: x.Dense(), Y: y.Dense(), Classes: 2}
}
